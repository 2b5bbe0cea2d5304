"""A camera whose lens is known, before which a board is turned: to try the calibration without hardware, and to test it.

[camera.top]
type = "synthetic"
frames = "calibration.rehearsal:views"     # then calibration.rehearsal:plane
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import Board
from pipeline.lens_model import Array, BrownLens, Lens
from pipeline.plane_map import PlaneMap
from simulator.plane_view import FlatPicture, exposed, see

BOARD = Board("charuco", 12, 9, 8.0)
_SHARPNESS = 80  # texels a square
_NOISE = 2.0  # grey levels
_HELD = 3  # pictures of each view
_GAIN, _AROUND = 0.85, 60.0
_LEAST_POINTS = 24


def lens(width: int, height: int) -> BrownLens:
    """The lens of pictures of this size: barrel distortion of some per cent, not centred."""
    focal_px = 1.1 * max(width, height)
    middle = (width / 2 + 0.01 * width, height / 2 - 0.012 * height)
    return BrownLens(np.array([focal_px, focal_px * 1.002, *middle, -0.25, 0.08, 0.0008, -0.0005, -0.01]))


def plane_pose(width: int, height: int) -> Array:
    """Where the board lies in the plane that is measured in: a little tilted, the middle of it before the camera."""
    return _towards(lens(width, height), np.array([0.08, -0.05, 0.03]), (width / 2, height / 2), _far(0.85))


def view_pose(width: int, height: int, rng: np.random.Generator) -> Array:
    """A view by chance that shows enough of the board."""
    drawer = lens(width, height)
    while True:
        turn = np.append(rng.uniform(-0.6, 0.6, 2), rng.uniform(-0.4, 0.4))
        aim = rng.uniform((0.1 * width, 0.1 * height), (0.9 * width, 0.9 * height))
        pose = _towards(drawer, turn, (float(aim[0]), float(aim[1])), _far(rng.uniform(0.45, 0.9)))
        xy = PlaneMap(drawer, pose).to_px(BOARD.points_mm)
        seen = ((xy > 6) & (xy < (width - 7, height - 7))).all(axis=1)
        if seen.sum() >= _LEAST_POINTS:
            return pose


def seen_board(
    drawer: Lens, pose: Array, image_wh: tuple[int, int], rng: np.random.Generator, *, board: Board = BOARD
) -> NDArray[np.uint8]:
    """A picture of the board, with noise."""
    picture = FlatPicture(board.drawn(_SHARPNESS), board.pitch_mm / _SHARPNESS, (-board.pitch_mm, -board.pitch_mm))
    return exposed(see(PlaneMap(drawer, pose), picture, image_wh, around=_AROUND), _NOISE, rng, _GAIN)


def views(width: int, height: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """The board held in one place after the other, for ever."""
    rng = np.random.default_rng(seed)
    while True:
        pose = view_pose(width, height, rng)
        for _ in range(_HELD):
            yield seen_board(lens(width, height), pose, (width, height), rng)


def plane(width: int, height: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """The board where parts are measured."""
    rng = np.random.default_rng(seed)
    while True:
        yield seen_board(lens(width, height), plane_pose(width, height), (width, height), rng)


def _far(share: float) -> float:
    """How far away the board is as wide as this share of the picture, in mm."""
    return 1.1 * BOARD.size_mm[0] / share


def _towards(drawer: Lens, turn: Array, aim_px: tuple[float, float], far_mm: float) -> Array:
    """The pose in which the board's middle is drawn near `aim_px`."""
    fx, fy, cx, cy = drawer.values[:4]
    place = np.array([(aim_px[0] - cx) / fx, (aim_px[1] - cy) / fy, 1.0]) * far_mm
    rotation = np.asarray(cv2.Rodrigues(turn)[0], np.float64)
    return np.concatenate([turn, place - rotation @ np.append(np.array(BOARD.size_mm) / 2, 0.0)])
