"""Standard deviations that hold what they say: a map of few parameters from the networks' sigmas, fitted on new parts.

What is wanted of sigma is shares: 68 % of the errors of an axis within one, 95 % within two. Errors have heavier tails than
a normal distribution, so that neither a likelihood nor a standard deviation gives these shares: both follow the tails. The
scale is therefore set by the two shares themselves, and where they contradict each other it is off by as much of a bar's
half width in the one as in the other. The shape of the map, power and floor, is chosen among those that come about as
near to both shares, by a likelihood that outliers do not govern (Student's t with four degrees of freedom; Lange et al. 1989).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.sigma import SigmaScale, apply

WITHIN_1_SIGMA, WITHIN_2_SIGMA = (0.65, 0.71), (0.93, 0.97)  # the bars; a normal distribution has 0.683 and 0.954
FEW_COORDINATES = 200  # with fewer the map is a scale alone: shares of so few are known to 3 % at best
_POWERS = (0.25, 0.5, 0.7, 0.85, 1.0, 1.15, 1.3, 1.5, 2.0)
_FLOORS = (0.0, 0.25, 0.5, 1.0, 2.0)  # of the median of the rest
_DEGREES = 4.0
_T_WITHIN = 1.1416  # of Student's t with 4 degrees of freedom 68.3 % lie within
_LOG_SCALE_VARIANCE = 1.2  # over the number of coordinates; 0.93 for normal errors, more for heavier tails
_PRIOR_VARIANCE = 0.25  # networks' sigmas are usually right within a factor of 1.6
_FOLDS = 5

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Sample:
    """What is fitted: n visible keypoints. ``error_px`` (n, 2) is absolute, ``sigma_px`` (n,), ``keypoint`` (n,) of ``count``."""

    error_px: Array
    sigma_px: Array
    keypoint: NDArray[np.int64]
    count: int

    def part(self, use: NDArray[np.bool_]) -> _Sample:
        return _Sample(self.error_px[use], self.sigma_px[use], self.keypoint[use], self.count)


def calibrate_sigma(
    error_px: NDArray[np.floating], sigma_px: NDArray[np.floating], visible: NDArray[np.bool_]
) -> SigmaScale:
    """The map that makes sigmas honest.

    Args:
        error_px: (N, K, 2), found minus true position, sensor px; nan where either is not known.
        sigma_px: (N, K), what the networks say of either axis, sensor px; nan where they say nothing.
        visible: (N, K), which count.

    Returns:
        The scale is drawn towards 1 by few coordinates (the identity where there is none), a keypoint's factor towards 1
        by as much as the differences between the keypoints are explained by chance. The shares within one and two
        sigma are those of parts that were left out, a fifth at a time; none where there are fewer than ten parts.
    """
    error, sigma = np.abs(np.asarray(error_px, np.float64)), np.asarray(sigma_px, np.float64)
    use = np.asarray(visible, bool) & np.isfinite(error).all(2) & np.isfinite(sigma) & (sigma > 0)
    part, keypoint = np.nonzero(use)
    sample = _Sample(error[use], sigma[use], keypoint, use.shape[1])
    fitted = _fit(sample)
    within = _cross_checked(sample, part, len(use))
    return SigmaScale(
        scale=_rounded(fitted.scale),
        power=fitted.power,
        floor_px=_rounded(fitted.floor_px),
        factors=[_rounded(factor) for factor in fitted.factors],
        coordinates=2 * len(part),
        within_1_sigma=within[0],
        within_2_sigma=within[1],
    )


def _fit(sample: _Sample) -> SigmaScale:
    coordinates = sample.error_px.size
    if coordinates < FEW_COORDINATES:
        scale = _scale(_sorted_ratios(sample, sample.sigma_px))[0] if coordinates else 1.0
        trust = _PRIOR_VARIANCE / (_PRIOR_VARIANCE + _LOG_SCALE_VARIANCE / max(coordinates, 1))
        return SigmaScale(scale=scale**trust if coordinates else 1.0)
    power, floor = _shape(sample)
    unit = np.hypot(sample.sigma_px**power, floor)
    factors = _factors(sample, unit)
    scale = _scale(_sorted_ratios(sample, unit * factors[sample.keypoint]))[0]
    differ = bool((factors != 1).any())
    return SigmaScale(scale=scale, power=power, floor_px=scale * floor, factors=factors.tolist() if differ else [])


def _shape(sample: _Sample) -> tuple[float, float]:
    """Power, and floor before scaling, of the likeliest map among those that come about as near to both shares as any."""
    coordinates = sample.error_px.size
    tried = []
    for power in _POWERS:
        raised = sample.sigma_px**power
        for share in _FLOORS:
            floor = share * float(np.median(raised))
            unit = np.hypot(raised, floor)
            ratios = _sorted_ratios(sample, unit)
            scale, off = _scale(ratios)
            tails = np.log1p((_T_WITHIN * ratios / scale) ** 2 / _DEGREES).sum() * (_DEGREES + 1) / 2
            parameters = (power != 1.0) + (floor > 0.0)
            cost = 2 * np.log(scale * unit).sum() + tails + parameters * np.log(coordinates) / 2
            tried.append((off, float(cost), power, floor))
    by_chance = 0.1 + np.sqrt(0.22 / coordinates) / 0.03  # a standard deviation of the first share, in half bars
    near = max(min(tried)[0] + 0.05, by_chance)
    _, power, floor = min(row[1:] for row in tried if row[0] <= near)
    return power, floor


def _scale(ratios: Array) -> tuple[float, float]:
    """What sigmas are multiplied by, and how far off the worse share then is in half widths of its bar; ratios sorted."""
    tried = np.unique(np.quantile(ratios, np.linspace(0.58, 0.80, 45)))
    tried = np.maximum(tried, 1e-6)
    off = np.zeros(len(tried))
    for within, (low, high) in ((1.0, WITHIN_1_SIGMA), (2.0, WITHIN_2_SIGMA)):
        share = np.searchsorted(ratios, within * tried, side="right") / len(ratios)
        off = np.maximum(off, np.abs(share - (low + high) / 2) / ((high - low) / 2))
    best = off <= off.min() + 1e-9
    return float(np.median(tried[best])), float(off.min())


def _factors(sample: _Sample, unit: Array) -> Array:
    """One factor a keypoint (empirical Bayes): 1 where the keypoints differ by no more than chance would have it."""
    logs, variances = np.zeros(sample.count), np.full(sample.count, np.inf)
    for index in range(sample.count):
        own = sample.keypoint == index
        if own.sum() * 2 >= FEW_COORDINATES:
            logs[index] = np.log(_scale(_sorted_ratios(sample.part(own), unit[own]))[0])
            variances[index] = _LOG_SCALE_VARIANCE / (2 * own.sum())
    known = np.isfinite(variances)
    if known.sum() < 2:
        return np.ones(sample.count)
    mean = logs[known].mean()
    between = max(float(logs[known].var(ddof=1) - variances[known].mean()), 0.0)
    return np.exp(np.where(known, between / (between + variances) * (logs - mean), 0.0))


def _sorted_ratios(sample: _Sample, sigma_px: Array) -> Array:
    return np.sort((sample.error_px / sigma_px[:, None]).ravel())


def _cross_checked(sample: _Sample, part: NDArray[np.int64], parts: int) -> tuple[float | None, float | None]:
    """Shares within one and two sigma, each part judged by the map that was fitted without it."""
    if parts < 2 * _FOLDS or not len(part):
        return None, None
    fold = np.random.default_rng(0).permutation(parts)[part] % _FOLDS
    ratios = np.empty_like(sample.error_px)
    for number in range(_FOLDS):
        out = fold == number
        left = sample.part(out)
        sigma = np.full((len(left.sigma_px), sample.count), np.nan)
        rows = np.arange(len(sigma))
        sigma[rows, left.keypoint] = left.sigma_px
        ratios[out] = left.error_px / apply(_fit(sample.part(~out)), sigma)[rows, left.keypoint][:, None]
    return round(float((ratios <= 1).mean()), 4), round(float((ratios <= 2).mean()), 4)


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")
