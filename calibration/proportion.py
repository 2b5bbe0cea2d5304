"""What a counted share says of the share on new data."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
_STEPS = 40  # halvings of 0..1: below 1e-12


def clopper_pearson(count: int, total: int, *, level: float = LEVEL) -> tuple[float, float]:
    """The exact two-sided interval of a proportion (Clopper and Pearson 1934).

    Exact and not Wilson's for one reason beyond the usual one (Wilson's covers less than it says near 0, where these
    rates lie): where a threshold is itself the k-th smallest of n examples, so that k - 1 of them lie below, the share
    below it on new data is distributed as Beta(k, n + 1 - k) (Wilks 1941), whose quantile is this upper limit exactly.

    Args:
        count: how many of ``total``.
        total: 0 gives (0, 1): nothing is known.
        level: how often the interval holds the true share, at least.

    Raises:
        ValueError: ``count`` is not within 0 and ``total``, or ``level`` not within 0 and 1.
    """
    if not 0 <= count <= total or not 0.0 < level < 1.0:
        raise ValueError(f"{count} of {total} at level {level}")
    return _lower(count, total, level), 1.0 - _lower(total - count, total, level)


def _lower(count: int, total: int, level: float) -> float:
    """The share at which ``count`` or more of ``total`` come with the chance (1 - level) / 2; by bisection."""
    if not count:
        return 0.0
    is_upper = count > total / 2  # the side of fewer terms
    successes = np.arange(count, total + 1) if is_upper else np.arange(count)
    choose = _log_choose(total, successes)
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        share = (low + high) / 2
        terms = choose + successes * math.log(share) + (total - successes) * math.log1p(-share)
        chance = float(np.exp(terms).sum())  # summed from logarithms: no term overflows
        if (chance if is_upper else 1.0 - chance) < (1 - level) / 2:
            low = share
        else:
            high = share
    return low


def _log_choose(total: int, successes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Logarithms of the binomial coefficients of consecutive numbers of successes."""
    first = int(successes[0])
    start = math.lgamma(total + 1) - math.lgamma(first + 1) - math.lgamma(total - first + 1)
    ratios = np.log(total - successes[:-1]) - np.log(successes[:-1] + 1)
    return start + np.concatenate(([0.0], np.cumsum(ratios)))
