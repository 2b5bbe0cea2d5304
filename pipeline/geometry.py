"""Coordinates: each crop, resize and flip is a 3x3 matrix named `to_from`; pixel centres lie at integers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]  # (3, 3)
Points = NDArray[np.float64]  # (..., 2): x, y


class Region(NamedTuple):
    """An area of an image in px, in the corner convention: pixel (0, 0) covers 0 to 1.

    Region(320, 210, 640, 512) is the columns 320 to 959 and the rows 210 to 721. Points have pixel centres at integers,
    so a region's upper left corner is the point (x - ½, y - ½).
    """

    x: float
    y: float
    w: float
    h: float


def identity() -> Matrix:
    """The map of an image onto itself."""
    return np.eye(3)


def crop(x: float, y: float) -> Matrix:
    """crop_from_image: pixel (x, y) of the image becomes pixel (0, 0)."""
    return np.array([[1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, 0.0, 1.0]])


def resize(sx: float, sy: float) -> Matrix:
    """resized_from_image for an image whose width is multiplied by sx, its height by sy: x becomes (x + ½)·sx - ½."""
    return np.array([[sx, 0.0, 0.5 * sx - 0.5], [0.0, sy, 0.5 * sy - 0.5], [0.0, 0.0, 1.0]])


def flip_x(width: int) -> Matrix:
    """flipped_from_image, left and right changed over in an image of this width."""
    return np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def flip_y(height: int) -> Matrix:
    """flipped_from_image, top and bottom changed over in an image of this height."""
    return np.array([[1.0, 0.0, 0.0], [0.0, -1.0, height - 1.0], [0.0, 0.0, 1.0]])


def compose(*matrices: Matrix) -> Matrix:
    """Chain maps in the order they are written: c_from_b, b_from_a gives c_from_a."""
    product = identity()
    for matrix in matrices:
        product = product @ matrix
    return product


def invert(matrix: Matrix) -> Matrix:
    """a_from_b of b_from_a. Raises numpy.linalg.LinAlgError for a map that cannot be undone."""
    return np.linalg.inv(matrix).astype(np.float64, copy=False)


def scale(matrix: Matrix) -> float:
    """By how much an affine map lengthens, root mean square over all directions."""
    return float(np.sqrt((matrix[:2, :2] ** 2).sum() / 2.0))


def apply(matrix: Matrix, xy: ArrayLike) -> Points:
    """Map points (..., 2). Perspective maps are divided through."""
    points = np.asarray(xy, np.float64)
    mapped: Points = points @ matrix[:2, :2].T + matrix[:2, 2]
    if matrix[2, 0] == 0.0 and matrix[2, 1] == 0.0 and matrix[2, 2] == 1.0:
        return mapped
    mapped /= (points @ matrix[2, :2] + matrix[2, 2])[..., None]
    return mapped
