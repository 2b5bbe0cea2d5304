"""How a board's lines run through a picture, from where its points were roughly found: directions, curvature, pitch."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.geometry import Points
from pipeline.lens_model import Array

_ENOUGH_FOR_BENDS = 20  # points: fewer do not bear ten more numbers an axis
_STEP = 0.25  # of the pitch, to either side


@dataclass(frozen=True, slots=True)
class BoardShape:
    """At each of N points of a board.

    Attributes:
        along: (N, 2, 2) px per mm: along[:, 0] is how x of the board runs in the image, along[:, 1] its y.
        bend: (N, 2) curvature of the lines along x and y through the point, 1/px, towards the left of their direction
            where y points down: the line lies bend / 2 times the way squared beside its tangent.
        px_per_mm: (N,) the shorter of both.
    """

    along: Array
    bend: Array
    px_per_mm: Array


def board_shape(points_mm: Points, found_px: Points, pitch_mm: float) -> BoardShape | None:
    """The shape of what was found; None where the points lie on a line.

    A homography, as of a lens without distortion, and a cubic polynomial for what distortion adds.
    """
    matrix, _ = cv2.findHomography(points_mm, found_px, cv2.LMEDS)
    if matrix is None or not np.isfinite(matrix).all():
        return None
    flat = np.asarray(matrix, np.float64)
    middle, reach = points_mm.mean(axis=0), float(np.abs(points_mm - points_mm.mean(axis=0)).max())
    bends = np.zeros((10, 2))
    if len(points_mm) >= _ENOUGH_FOR_BENDS:
        terms, missing = _cubic((points_mm - middle) / reach), found_px - _projected(flat, points_mm)
        bends = np.asarray(np.linalg.lstsq(terms, missing, rcond=None)[0])

    def drawn(at_mm: Points) -> Points:
        return np.asarray(_projected(flat, at_mm) + _cubic((at_mm - middle) / reach) @ bends)

    step = _STEP * pitch_mm
    before, here, after = (
        np.stack([drawn(points_mm + sign * step * axis) for axis in np.eye(2)], axis=1) for sign in (-1.0, 0.0, 1.0)
    )
    along, turning = (after - before) / (2.0 * step), (after - 2.0 * here + before) / step**2
    length = np.hypot(along[:, :, 0], along[:, :, 1])
    across = along[:, :, 0] * turning[:, :, 1] - along[:, :, 1] * turning[:, :, 0]
    if not (length > 0.0).all():
        return None
    return BoardShape(along, across / length**3, length.min(axis=1))


def _projected(matrix: Array, points: Points) -> Points:
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def _cubic(points: Points) -> Array:
    """(N, 10): every product of x and y up to the third degree."""
    x, y = points.T
    return np.column_stack([x**i * y**j for i in range(4) for j in range(4 - i)])
