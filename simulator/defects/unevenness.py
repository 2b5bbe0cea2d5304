"""Smooth noise: how a line wavers, how a surface is cloudy."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def wavering(rng: np.random.Generator, count: int, scale: float) -> NDArray[np.float64]:
    """Smooth noise of about unit deviation at ``count`` points in a row, whose waves are about ``scale`` points long."""
    knots = rng.standard_normal(int(count / scale) + 4)
    at = np.arange(count) / scale + 1.0
    left = np.minimum(at.astype(int), len(knots) - 2)
    share = at - left
    ease = share * share * (3.0 - 2.0 * share)
    return np.asarray(knots[left] * (1.0 - ease) + knots[left + 1] * ease)


def cloud(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> NDArray[np.float32]:
    """Smooth noise (h, w) of about unit deviation whose spots are about ``scale`` pixels wide."""
    height, width = shape
    knots = rng.standard_normal((int(height / scale) + 4, int(width / scale) + 4), dtype=np.float32)
    shift = rng.uniform(0.5, 1.5, 2)
    from_cloud = np.array([[1.0 / scale, 0.0, shift[0]], [0.0, 1.0 / scale, shift[1]]])
    drawn = cv2.warpAffine(
        knots,
        from_cloud,
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(drawn * 1.4, dtype=np.float32)
