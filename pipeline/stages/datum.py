"""Directions and datum frames from points of a part."""

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Points

LEAST = 1e-6  # of the unit at hand; closer points give no direction


def direction(start: Points, end: Points) -> Points:
    """From one point to another (..., 2), of length 1; nan where they lie too close together to give one."""
    along = end - start
    length = np.hypot(along[..., 0], along[..., 1])
    safe = np.where(length < LEAST, np.nan, length)
    return np.asarray(along / safe[..., None])


def datum_axes(origin: Points, x_axis: Points) -> NDArray[np.float64]:
    """(..., 2, 2): the x and the y axis of a datum, rows of length 1; nan where its points lie too close together."""
    along = direction(origin, x_axis)
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    return np.stack([along, across], axis=-2)
