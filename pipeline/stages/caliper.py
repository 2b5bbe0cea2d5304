"""Where grey levels step, to a fraction of a pixel: profiles across an edge, and the steepest place of each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Points

STEP_PX = 0.5  # between samples across the edge
SMOOTH_PX = 1.0  # sigma of the Gaussian that gradients are smoothed with: wide enough that noise of a pixel is no edge
MARGIN_PX = 3.0 * SMOOTH_PX  # samples needed on either side of where edges are looked for
LINES = 3  # profiles a pixel apart that are averaged in one caliper

_REACH = round(MARGIN_PX / STEP_PX)
_TAPS = np.exp(-0.5 * (np.arange(-_REACH, _REACH + 1) * STEP_PX / SMOOTH_PX) ** 2)
_GAUSSIAN = _TAPS / _TAPS.sum()
_TO_STEP = np.sqrt(2.0 * np.pi) * SMOOTH_PX  # from the height of the smoothed gradient to that of an ideal step


@dataclass(frozen=True, slots=True)
class Steps:
    """The edge in each of N calipers.

    Attributes:
        at: (N,) float64, where it lies in samples from the first of the profile, a fraction.
        is_found: (N,) bool; `at` says nothing where it is not.
    """

    at: NDArray[np.float64]
    is_found: NDArray[np.bool_]


def sample(grey: NDArray[np.uint8], xy: Points) -> NDArray[np.float64]:
    """Grey levels of an image (h, w) at points (..., 2) in its px, bilinear; nan outside of it.

    Not OpenCV's remap: that rounds positions to 1/32 px and levels to whole ones.
    """
    height, width = grey.shape
    x, y = xy[..., 0], xy[..., 1]
    is_inside = (x >= 0.0) & (y >= 0.0) & (x <= width - 1.0) & (y <= height - 1.0)  # nan lies nowhere
    left = np.minimum(np.where(is_inside, x, 0.0).astype(np.intp), max(width - 2, 0))
    top = np.minimum(np.where(is_inside, y, 0.0).astype(np.intp), max(height - 2, 0))
    across, down = x - left, y - top
    flat, first = grey.reshape(-1), top * width + left
    right, below = min(1, width - 1), width * min(1, height - 1)
    upper = flat[first] * (1.0 - across) + flat[first + right] * across
    lower = flat[first + below] * (1.0 - across) + flat[first + below + right] * across
    return np.asarray(np.where(is_inside, upper * (1.0 - down) + lower * down, np.nan))


def find_steps(profiles: NDArray[np.float64], sign: int, contrast: float) -> Steps:
    """The steepest step of each profile.

    Gradients are smoothed with a Gaussian (Canny 1986); the peak is that of the parabola through the logarithms of the
    three highest, which is exact for a Gaussian, the gradient of a blurred step.

    Args:
        profiles: (N, M) grey levels, STEP_PX apart, MARGIN_PX longer at either end than where edges are looked for. nan
            makes a profile void.
        sign: 1 where levels must rise, -1 where they must fall, 0 for either.
        contrast: grey levels that it must step by; a blurred step counts as lower than it is.
    """
    gradients = np.diff(profiles, axis=1) / STEP_PX  # (N, M-1), half a sample on
    smooth = np.lib.stride_tricks.sliding_window_view(gradients, len(_GAUSSIAN), axis=1) @ _GAUSSIAN  # (N, M-1-2*REACH)
    steep = np.abs(smooth) if sign == 0 else sign * smooth
    is_whole = np.isfinite(steep).all(axis=1)
    steep = np.where(is_whole[:, None], steep, 0.0)
    peak = np.argmax(steep, axis=1)
    rows, last = np.arange(len(steep)), steep.shape[1] - 1
    inner = np.clip(peak, 1, max(last - 1, 1))
    before, top, after = (np.log(np.maximum(steep[rows, inner + by], 1e-9)) for by in (-1, 0, 1))
    bend = before - 2.0 * top + after
    shift = np.where(bend < -1e-12, 0.5 * (before - after) / np.minimum(bend, -1e-12), 0.0)
    # A peak at the end of what is looked at may be the flank of an edge beyond.
    is_found = is_whole & (peak > 0) & (peak < last) & (steep[rows, peak] * _TO_STEP >= contrast)
    return Steps(inner + np.clip(shift, -1.0, 1.0) + 0.5 + _REACH, is_found)
