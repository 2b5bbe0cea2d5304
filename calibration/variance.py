"""Variances that were each found from few values, drawn together as far as chance alone made them differ.

As weights of a later fit, variances of f degrees of freedom make it worse than it says of itself, by (f - 2) / (f - 4) in
the variance: what happened to scatter little counts for more than it is worth. Empirical Bayes, after Smyth, Linear Models
and Empirical Bayes Methods for Assessing Differential Expression (2004).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_FEW = 10  # fewer variances do not tell how far the true ones differ
_FAR = 4.0  # standard deviations of a logarithm: no chance


def moderated(variance: Array, freedom: float) -> Array:
    """Variances (N,) of `freedom` degrees each, drawn towards the common one.

    What lies too far out for chance, as a corner under dust does, stays as it is, and so do all where there are few.
    """
    known = np.isfinite(variance) & (variance > 0.0)
    if known.sum() < _FEW or freedom <= 1.0:
        return variance
    logs = np.log(np.where(known, variance, 1.0))
    middle = np.median(logs[known])
    spread = float((1.4826 * np.median(np.abs(logs[known] - middle))) ** 2)
    near = known & (np.abs(logs - middle) <= _FAR * np.sqrt(max(spread, trigamma(freedom / 2.0))))
    prior = prior_degrees(spread, freedom)
    common = float(variance[near].mean())
    share = 1.0 if np.isinf(prior) else prior / (prior + freedom)
    return np.where(near, share * common + (1.0 - share) * variance, variance)


def prior_degrees(spread: float, freedom: float) -> float:
    """How many degrees of freedom the common variance is worth to each of many; infinite where chance explains all.

    Args:
        spread: variance of the logarithms of the variances.
        freedom: degrees of freedom of each.
    """
    own = spread - trigamma(freedom / 2.0)  # of the true ones' logarithms: trigamma(degrees / 2)
    return float("inf") if own <= 0.0 else float((1.0 + np.sqrt(1.0 + 2.0 * own)) / own)


def trigamma(value: float) -> float:
    """Variance of the logarithm of a chi square with twice so many degrees; within 1 % from 1.5 on."""
    return 1.0 / value + 1.0 / (2.0 * value**2) + 1.0 / (6.0 * value**3)
