"""Capability of a process from single measured parts: Pp and Ppk with intervals; in a stable process they are its Cp and Cpk."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipeline.errors import DataError

FEWEST = 2


@dataclass(frozen=True, slots=True)
class Capability:
    """A measurement against its limits.

    Attributes:
        sigma: standard deviation over all parts, n - 1.
        cp: width of the tolerance over six sigma; None with one limit alone.
        cpk: distance of the mean from the nearer limit over three sigma.
        cpk_low, cpk_high: its 95% interval (Bissell 1990; NIST/SEMATECH e-Handbook 6.1.6).
    """

    count: int
    mean: float
    sigma: float
    least: float
    greatest: float
    cp: float | None
    cpk: float
    cpk_low: float
    cpk_high: float


def capability(values: Sequence[float], lower: float | None, upper: float | None) -> Capability:
    """Analyse values of single parts.

    Raises:
        DataError: fewer than two values, or no limit.
    """
    if len(values) < FEWEST or (lower is None and upper is None):
        raise DataError(f"{len(values)} values, limits {lower} and {upper}", allowed="two values or more, and a limit")
    mean, sigma = float(np.mean(values)), float(np.std(values, ddof=1))
    cp, cpk = indices(mean, sigma, lower, upper)
    reach = cpk_error(cpk, len(values)) * float(stats.norm.ppf(0.975)) if math.isfinite(cpk) else 0.0
    return Capability(
        len(values), mean, sigma, min(values), max(values), cp, cpk, cpk_low=cpk - reach, cpk_high=cpk + reach
    )


def indices(mean: float, sigma: float, lower: float | None, upper: float | None) -> tuple[float | None, float]:
    """Cp, None with one limit alone, and Cpk; infinite where nothing varies."""
    rooms = [room for room in (_room(mean, lower, -1), _room(mean, upper, 1)) if room is not None]
    if not sigma:
        return None, math.copysign(math.inf, min(rooms))
    cp = None if lower is None or upper is None else (upper - lower) / (6.0 * sigma)
    return cp, min(rooms) / (3.0 * sigma)


def cpk_error(cpk: float, count: int) -> float:
    """The standard error of a Cpk that was found with so many parts."""
    return math.sqrt(1.0 / (9.0 * count) + cpk**2 / (2.0 * (count - 1)))


def _room(mean: float, limit: float | None, sign: int) -> float | None:
    return None if limit is None else sign * (limit - mean)
