"""What a counted share says of the share on new data."""

from __future__ import annotations

import math

import numpy as np

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
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _at_least(count, total, middle) < (1 - level) / 2:
            low = middle
        else:
            high = middle
    return low


def _at_least(count: int, total: int, share: float) -> float:
    """The chance of ``count`` (1 or more) or more successes in ``total`` trials; 0 < share < 1."""
    if count > total * share:  # the smaller tail is summed: the other would be a difference of nearly equal numbers
        return _tail(count, total, total, share)
    return 1.0 - _tail(0, count - 1, total, share)


def _tail(first: int, last: int, total: int, share: float) -> float:
    """The binomial chance of ``first`` to ``last`` successes, from logarithms so that no term overflows."""
    successes = np.arange(first, last + 1)
    start = math.lgamma(total + 1) - math.lgamma(first + 1) - math.lgamma(total - first + 1)
    ratios = np.log(total - successes[:-1]) - np.log(successes[:-1] + 1)
    choose = start + np.concatenate(([0.0], np.cumsum(ratios)))
    terms = choose + successes * math.log(share) + (total - successes) * math.log1p(-share)
    return float(np.exp(terms).sum())
