"""Where to start: a lens without distortion, and where the board is in each view through it."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from calibration.board_view import BoardView
from pipeline.lens_model import AffineLens, Array, FisheyeLens, Lens, make_lens

_REACHES = (0.35, 0.6, 1.0, 1.8, 3.5, 8.0)  # focal lengths tried, of the image's longer side


def first_lenses(model: str, image_wh: tuple[int, int], views: tuple[BoardView, ...]) -> Iterator[Lens]:
    """Lenses to start from, of which one will do."""
    if model == "affine":
        yield make_lens(model, np.zeros(4), image_wh)
        return
    middle = [(image_wh[0] - 1) / 2, (image_wh[1] - 1) / 2]
    rest = np.zeros(4 if model == "fisheye" else 5)
    tried = [max(image_wh) * reach for reach in _REACHES]
    if model == "brown":
        tried.insert(0, _zhang(image_wh, views))
    for focal_px in tried:
        if 0.1 * max(image_wh) < focal_px < 100.0 * max(image_wh):
            yield make_lens(model, np.array([focal_px, focal_px, *middle, *rest]), image_wh)


def first_pose(lens: Lens, view: BoardView) -> Array | None:
    """Where the board is, (6,) as the lens has it; None where it lies on no plane before the camera."""
    if isinstance(lens, AffineLens):
        terms = np.column_stack([view.points_mm, np.ones(len(view.points_mm))])
        affine = np.linalg.lstsq(terms, view.xy_sensor_px, rcond=None)[0]
        return np.concatenate([affine[:2].T.ravel(), affine[2]])
    fx, fy, cx, cy = lens.values[:4]
    matrix, bends = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]), lens.values[4:]
    pixels = view.xy_sensor_px.reshape(-1, 1, 2)
    undo = cv2.fisheye.undistortPoints if isinstance(lens, FisheyeLens) else cv2.undistortPoints
    rays = np.asarray(undo(pixels, matrix, bends), np.float64)
    points = np.column_stack([view.points_mm, np.zeros(len(view.points_mm))])
    kept = np.isfinite(rays).all(axis=(1, 2)) & (np.abs(rays) < 20.0).all(axis=(1, 2))
    if kept.sum() < 6:
        return None
    found, turns, places, _ = cv2.solvePnPGeneric(points[kept], rays[kept], np.eye(3), None, flags=cv2.SOLVEPNP_IPPE)
    if not found:
        return None
    pose = np.concatenate([np.asarray(turns[0], np.float64).ravel(), np.asarray(places[0], np.float64).ravel()])
    return pose if pose[5] > 0.0 and np.isfinite(pose).all() else None


def _zhang(image_wh: tuple[int, int], views: tuple[BoardView, ...]) -> float:
    """Focal length from the views' homographies (Zhang 2000); what it says of views straight from the front is no use."""
    points = [np.column_stack([v.points_mm, np.zeros(len(v.points_mm))]).astype(np.float32) for v in views]
    pixels = [v.xy_sensor_px.astype(np.float32) for v in views]
    try:
        matrix = cv2.initCameraMatrix2D(points, pixels, image_wh, 1.0)
    except cv2.error:
        return 0.0
    focal_px = float(matrix[0, 0])
    return focal_px if np.isfinite(focal_px) else 0.0
