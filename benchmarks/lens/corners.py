"""python -m benchmarks.lens.corners: where the corners of rendered checkers are found, by OpenCV and by calibration.corner."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import cv2
import numpy as np

from benchmarks.lens.known_lenses import BROWN
from benchmarks.report import table_text
from calibration.board import Board
from calibration.board_view import find_board
from pipeline.geometry import Points
from pipeline.plane_map import PlaneMap
from simulator.plane_view import FlatPicture, exposed, see

VIEWS = 6
_BOARD = Board("checker", 12, 9, 8.0)
_TEXELS = 80
_ENDS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-5)


def main() -> int:
    """Print one table: root mean square errors and the mean of whole views, px."""
    cv2.setNumThreads(1)
    off: dict[tuple[str, float], list[Points]] = {}
    rng, views = np.random.default_rng(2), 0
    picture = FlatPicture(_BOARD.drawn(_TEXELS), _BOARD.pitch_mm / _TEXELS, (-_BOARD.pitch_mm, -_BOARD.pitch_mm))
    while views < VIEWS:
        pose = BROWN.view_pose(rng)
        true_px = PlaneMap(BROWN.lens, pose).to_px(_BOARD.points_mm)
        if not ((true_px > 9) & (true_px < (BROWN.image_wh[0] - 10, BROWN.image_wh[1] - 10))).all():
            continue
        levels = see(PlaneMap(BROWN.lens, pose), picture, BROWN.image_wh)
        found = {noise: _found(exposed(levels, noise, rng, 0.85)) for noise in (0.0, 2.0)}
        if not all(found.values()):
            continue
        views += 1
        for noise, methods in found.items():
            for name, xy in methods.items():
                off.setdefault((name, noise), []).append(xy - true_px)
    names = dict.fromkeys(name for name, _ in off)
    rows: list[tuple[str | float, ...]] = [
        (name, *(value for noise in (0.0, 2.0) for value in _figures(off[name, noise]))) for name in names
    ]
    columns = ["corners of", "error px", "mean of a view px", "error px, noise 2", "mean of a view px, noise 2"]
    print(
        f"{VIEWS} views of {_BOARD} through strong distortion, {len(_BOARD.points_mm)} corners each; grey levels of noise\n"
    )
    print(table_text(columns, rows), flush=True)
    return 0


def _found(grey: np.ndarray) -> Mapping[str, Points]:
    """Corners by every method, in the board's order; empty where one finds none."""
    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY
    seen, corners = cv2.findChessboardCornersSB(grey, _BOARD.points_wh, flags=flags)
    ours = find_board(_BOARD, "view", grey)
    if not seen or ours is None or len(ours.points_mm) < len(_BOARD.points_mm):
        return {}
    start = np.asarray(corners, np.float32).reshape(-1, 1, 2)
    if np.abs(start[0, 0] - ours.xy_sensor_px[0]).max() > 2.0:  # it begins at either end
        start = start[::-1].copy()
    methods = {"findChessboardCornersSB": start.reshape(-1, 2).astype(np.float64)}
    for window in (3, 5, 8):
        refined = cv2.cornerSubPix(grey, start.copy(), (window, window), (-1, -1), _ENDS)
        methods[f"cornerSubPix, window {2 * window + 1}"] = np.asarray(refined, np.float64).reshape(-1, 2)
    return methods | {"calibration.corner": ours.xy_sensor_px}


def _figures(off: list[Points]) -> tuple[float, float]:
    """Root mean square of a coordinate, and the largest mean of a view."""
    return float(np.sqrt(np.mean(np.concatenate(off) ** 2))), float(max(np.abs(one.mean(axis=0)).max() for one in off))


if __name__ == "__main__":
    sys.exit(main())
