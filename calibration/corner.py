"""Where two edges of a checker cross, by fitting the grey levels around: without the bias of cornerSubPix, and with a sigma.

The levels around a corner are the same on opposite sides of it, however the lens blurs; the model is so, too. What it
gets wrong of the blur therefore cannot move the corner, which only what differs between opposite sides can.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.variance import moderated
from pipeline.geometry import Points

Array = NDArray[np.float64]
LEAST_RADIUS_PX, MOST_RADIUS_PX = 3.0, 8.0
_STEPS = 12
_ENOUGH_PX = 1e-4
_LEAST_CONTRAST = 4.0  # grey levels between dark and light, below which nothing is sure
_BLUR_PX = (0.3, 4.0)
_NORMAL = 2.0 / np.sqrt(np.pi)


@dataclass(frozen=True, slots=True)
class Refined:
    """Corners of one picture.

    Attributes:
        xy_sensor_px: (N, 2); nan where no corner was found.
        sigma_px: (N,) standard deviation of a coordinate, root mean square of x and y, from the levels' own scatter.
    """

    xy_sensor_px: Points
    sigma_px: Array


def refine(grey: NDArray[np.uint8], start_px: Points, along: Array, bend: Array, radius_px: float) -> Refined:
    """Corners near where they are thought to be.

    Args:
        grey: (H, W).
        start_px: (N, 2), within about a quarter of the radius.
        along: (N, 2, 2) directions of the two edges in the image, any length; along[:, 0] is the first edge's x, y.
        bend: (N, 2) curvature of both edges, 1/px: the lens bends them, and would move the corner with them.
        radius_px: what is looked at, at most; nothing but the four fields may lie in it.
    """
    radius = float(np.clip(radius_px, LEAST_RADIUS_PX, MOST_RADIUS_PX))
    offsets, weights = _disc(radius)
    levels, whole = _levels(grey, start_px, offsets)
    middle = np.rint(start_px)
    state = _started(levels, start_px - middle, along, bend, offsets, weights)
    for _ in range(_STEPS):
        model, slopes = _model(state, bend, offsets)
        step, _ = _solved(slopes, levels - model, weights)
        limit = np.array([1.0, 1.0, 0.3, 0.3, 0.5, 40.0, 40.0, 0.02, 0.02])
        state = state + np.clip(step, -limit, limit)
        state[:, 4] = np.clip(state[:, 4], *_BLUR_PX)
        if np.abs(step[:, :2]).max(initial=0.0) < _ENOUGH_PX:
            break
    model, slopes = _model(state, bend, offsets)
    sigma = _sigma(slopes, levels - model, weights)
    moved = np.hypot(*(state[:, :2] - (start_px - middle)).T)
    good = whole & (moved < radius / 2) & (np.abs(state[:, 6]) > _LEAST_CONTRAST / 2) & np.isfinite(sigma)
    xy = np.where(good[:, None], middle + state[:, :2], np.nan)
    return Refined(xy, np.where(good, sigma, np.nan))


def _disc(radius: float) -> tuple[Array, Array]:
    """Whole px around a corner (K, 2), and how much each counts: less towards the rim, so that none comes or goes."""
    reach = int(np.ceil(radius))
    x, y = np.meshgrid(*[np.arange(-reach, reach + 1)] * 2)
    offsets = np.column_stack([x.ravel(), y.ravel()]).astype(np.float64)
    distance = np.hypot(*offsets.T)
    inside = distance <= radius
    return offsets[inside], np.cos(distance[inside] / radius * np.pi / 2) ** 2 + 1e-3


def _levels(grey: NDArray[np.uint8], start_px: Points, offsets: Array) -> tuple[Array, NDArray[np.bool_]]:
    """(N, K) around each corner, and whether all of it lies in the image."""
    height, width = grey.shape
    at = np.rint(start_px)[:, None, :] + offsets
    whole = ((at >= 0) & (at <= (width - 1, height - 1))).all(axis=(1, 2))
    columns = np.clip(at[:, :, 0], 0, width - 1).astype(int)
    rows = np.clip(at[:, :, 1], 0, height - 1).astype(int)
    return grey[rows, columns].astype(np.float64), np.asarray(whole)


def _started(levels: Array, place: Points, along: Array, bend: Array, offsets: Array, weights: Array) -> Array:
    """(N, 9): x, y, both edges' angles, blur, mean, contrast (below 0 the other way round), shading in x and y."""
    angles = np.arctan2(along[:, :, 1], along[:, :, 0])
    zero = np.zeros(len(levels))
    state = np.column_stack([place, angles, zero + 1.0, zero, zero + 1.0, zero, zero])
    fields = _model(state, bend, offsets)[0]
    share = weights / weights.sum()
    mean, middle = levels @ share, fields @ share
    apart = fields - middle[:, None]
    contrast = (levels * apart) @ share / np.maximum((apart**2) @ share, 1e-9)
    state[:, 5], state[:, 6] = mean - contrast * middle, contrast
    return state


def _model(state: Array, bend: Array, offsets: Array) -> tuple[Array, Array]:
    """Levels (N, K) of the model, and their slopes (N, K, 9).

    level = (mean + contrast · e(d1 / blur) · e(d2 / blur)) · (1 + shading · place), d the distance from an edge.
    """
    x, y, first, second, blur, mean, contrast, shade_x, shade_y = (column[:, None] for column in state.T)
    dx, dy = offsets[:, 0] - x, offsets[:, 1] - y
    along1, along2 = (dx * np.cos(turn) + dy * np.sin(turn) for turn in (first, second))
    d1 = dy * np.cos(first) - dx * np.sin(first) - bend[:, :1] / 2.0 * along1**2
    d2 = dy * np.cos(second) - dx * np.sin(second) - bend[:, 1:] / 2.0 * along2**2
    scale = 1.0 / (np.sqrt(2.0) * blur)
    e1, e2 = _erf(d1 * scale), _erf(d2 * scale)
    n1, n2 = (_NORMAL * np.exp(-((d * scale) ** 2)) * scale for d in (d1, d2))
    shade = 1.0 + shade_x * offsets[:, 0] + shade_y * offsets[:, 1]
    flat = mean + contrast * e1 * e2
    by1, by2 = contrast * n1 * e2 * shade, contrast * n2 * e1 * shade
    slopes = np.stack(
        [
            by1 * np.sin(first) + by2 * np.sin(second),
            -by1 * np.cos(first) - by2 * np.cos(second),
            -by1 * along1,
            -by2 * along2,
            -(by1 * d1 + by2 * d2) / blur,
            shade,
            e1 * e2 * shade,
            flat * offsets[:, 0],
            flat * offsets[:, 1],
        ],
        axis=2,
    )
    return flat * shade, slopes


def _solved(slopes: Array, missing: Array, weights: Array) -> tuple[Array, Array]:
    """The step (N, 9) of least weighted squares, and the inverse (N, 9, 9) of its normal matrix."""
    weighted = slopes * weights[:, None]
    normal = weighted.transpose(0, 2, 1) @ slopes
    scale = np.sqrt(np.maximum(np.einsum("nii->ni", normal), 1e-30))
    unit = normal / scale[:, :, None] / scale[:, None, :] + 1e-9 * np.eye(normal.shape[1])
    inverse = np.linalg.inv(unit) / scale[:, :, None] / scale[:, None, :]
    return (inverse @ (weighted.transpose(0, 2, 1) @ missing[:, :, None]))[:, :, 0], inverse


def _sigma(slopes: Array, missing: Array, weights: Array) -> Array:
    """The sigma of a place (N,) from what is missing at all corners of the picture.

    Weights that are no inverse variances: the covariance is A⁻¹ B A⁻¹ with B of the squared weights, and the fit takes
    trace(A⁻¹ B) of the squares that noise alone would leave.
    """
    _, inverse = _solved(slopes, missing, weights)
    weighted = slopes * weights[:, None]
    squared = weighted.transpose(0, 2, 1) @ weighted
    left = weights.sum() - np.einsum("nij,nji->n", inverse, squared)
    variance = (weights * missing**2).sum(axis=1) / np.maximum(left, 1e-9)
    spread = inverse @ squared @ inverse
    noise = moderated(variance, float(weights.sum() ** 2 / (weights**2).sum()) - slopes.shape[2])
    return np.sqrt(noise * (spread[:, 0, 0] + spread[:, 1, 1]) / 2)


def _erf(values: Array) -> Array:
    """The error function within 1.5e-7 (Abramowitz and Stegun 7.1.26)."""
    t = 1.0 / (1.0 + 0.3275911 * np.abs(values))
    terms = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.asarray(np.sign(values) * (1.0 - terms * np.exp(-(values**2))))
