"""Pictures of discs and straight edges as a sensor sees them: exact to a hundredth of a pixel, with blur and noise."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_FINE = 8  # looks into each pixel along a row, where an edge goes through it

Disc = tuple[float, float, float]  # x, y of the centre in px, pixel centres at integers; radius


def discs(
    size_wh: tuple[int, int],
    shown: Sequence[Disc],
    *,
    below: float | None = None,
    levels: tuple[float, float] = (60.0, 160.0),
    blur_px: float = 0.7,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> NDArray[np.uint8]:
    """Discs, and all that lies below a horizontal line, on a lighter ground: uint8 (h, w).

    Args:
        size_wh: of the picture.
        shown: the discs.
        below: y of the line in px.
        levels: grey of the discs and of the ground.
        blur_px: standard deviation of the lens's blur.
        noise: standard deviation of the sensor's noise in grey levels.
        rng: what the noise is drawn by.
    """

    def depth(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.full(x.shape, -np.inf) if below is None else y - below
        for centre_x, centre_y, radius in shown:
            found = np.maximum(found, radius - np.hypot(x - centre_x, y - centre_y))
        return found

    y, x = np.indices(size_wh[::-1]).astype(np.float64)
    inside = depth(x, y)
    share = (inside > 0.0).astype(np.float64)
    cut = np.abs(inside) < 1.5
    looks = (np.arange(_FINE) + 0.5) / _FINE - 0.5
    share[cut] = np.mean([depth(x[cut] + dx, y[cut] + dy) > 0.0 for dx in looks for dy in looks], axis=0)
    grey = levels[1] + (levels[0] - levels[1]) * share
    if blur_px:
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), blur_px), np.float64)
    if noise and rng is not None:
        grey = grey + rng.normal(0.0, noise, grey.shape)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
