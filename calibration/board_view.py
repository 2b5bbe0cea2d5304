"""A board found in a picture: which of its points lie where, to hundredths of a px, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import MARK_SHARE, Board, charuco
from calibration.board_shape import board_shape
from calibration.corner import MOST_RADIUS_PX, refine
from calibration.dot import find_dots, refine_dots
from pipeline.geometry import Points
from pipeline.lens_model import Array

LEAST_POINTS = 8  # of a view: six say where the board is
_CLEAR_OF_MARKS = (1.0 - MARK_SHARE) / 2.0 * 1.2  # of a square: what lies between a corner and the next mark


@dataclass(frozen=True, slots=True)
class BoardView:
    """One picture of a board.

    Attributes:
        name: of the picture, for messages.
        image_wh: its size, px.
        points_mm: (N, 2) of the board.
        xy_sensor_px: (N, 2) where they were found.
        sigma_px: (N,) standard deviation of each coordinate.
    """

    name: str
    image_wh: tuple[int, int]
    points_mm: Points
    xy_sensor_px: Points
    sigma_px: Array

    def only(self, kept: NDArray[np.bool_]) -> BoardView:
        """The same view with some of its points."""
        return BoardView(self.name, self.image_wh, self.points_mm[kept], self.xy_sensor_px[kept], self.sigma_px[kept])


def find_board(board: Board, name: str, grey: NDArray[np.uint8]) -> BoardView | None:
    """The board in a picture (H, W), uint8; None where fewer than LEAST_POINTS points of it can be placed."""
    rough = _FINDERS[board.kind](board, grey)
    if rough is None or len(rough[0]) < LEAST_POINTS:
        return None
    numbers, start_px = rough
    points_mm = board.points_mm[numbers]
    shape = board_shape(points_mm, start_px, board.pitch_mm)
    if shape is None:
        return None
    if board.kind == "dots":
        refined = refine_dots(grey, start_px, shape.along, board.pitch_mm)
    else:
        share = _CLEAR_OF_MARKS if board.kind == "charuco" else 0.4
        radius_px = float(np.percentile(shape.px_per_mm, 5)) * board.pitch_mm * share
        refined = refine(grey, start_px, shape.along, shape.bend, min(radius_px, MOST_RADIUS_PX))
    kept = np.isfinite(refined.sigma_px)
    if kept.sum() < LEAST_POINTS:
        return None
    height, width = grey.shape
    sigma_px = np.maximum(refined.sigma_px[kept], 1e-4)
    return BoardView(name, (width, height), points_mm[kept], refined.xy_sensor_px[kept], sigma_px)


Rough = tuple[NDArray[np.int64], Points]  # numbers of points, as in Board.points_mm, and px


def _charuco(board: Board, grey: NDArray[np.uint8]) -> Rough | None:
    found: Sequence[object] = cv2.aruco.CharucoDetector(charuco(board)).detectBoard(grey)
    corners, numbers = found[:2]  # None where there is no board, which the bindings' types do not say
    if corners is None or numbers is None:
        return None
    return np.asarray(numbers, np.int64).ravel(), np.asarray(corners, np.float64).reshape(-1, 2)


def _checker(board: Board, grey: NDArray[np.uint8]) -> Rough | None:
    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY
    found, corners = cv2.findChessboardCornersSB(grey, board.points_wh, flags=flags)
    if not found:
        return None
    xy = np.asarray(corners, np.float64).reshape(-1, 2)
    # OpenCV may begin at either end; the square after the first corner is dark, its neighbour in the row light
    row = board.points_wh[0]
    dark, light = (xy[[n, n + 1, n + row, n + row + 1]].mean(axis=0).round().astype(int) for n in (0, 1))
    if grey[dark[1], dark[0]] > grey[light[1], light[0]]:
        xy = xy[::-1]
    return np.arange(len(xy)), xy


def _dots(board: Board, grey: NDArray[np.uint8]) -> Rough | None:
    xy = find_dots(grey, board.points_wh)
    return None if xy is None else (np.arange(len(xy)), xy)


_FINDERS = {"charuco": _charuco, "checker": _checker, "dots": _dots}
