"""Bias over the range of the gauge: parts of known size, each measured several times (AIAG MSA 4, chapter III B)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipeline.errors import DataError

FEWEST_PARTS = 3


@dataclass(frozen=True, slots=True)
class PartBias:
    """The bias at one reference: mean of the readings less the reference."""

    reference: float
    count: int
    bias: float


@dataclass(frozen=True, slots=True)
class Linearity:
    """The line bias = intercept + slope x reference through all single biases.

    Attributes:
        residual: standard deviation of the biases about the line.
        slope_t, intercept_t: each over its standard error; None where the biases lie on the line.
        slope_p, intercept_p: of the hypothesis that it is 0.
        bias: the mean of all biases.
    """

    parts: tuple[PartBias, ...]
    slope: float
    intercept: float
    residual: float
    r_squared: float
    slope_t: float | None
    intercept_t: float | None
    slope_p: float | None
    intercept_p: float | None
    bias: float

    @property
    def is_linear(self) -> bool:
        """Neither slope nor intercept differs from 0 at 5%."""
        return all(p is None or p > 0.05 for p in (self.slope_p, self.intercept_p))


def linearity(references: Sequence[float], values: Sequence[float]) -> Linearity:
    """Analyse readings, each with the true size of its part.

    Raises:
        DataError: fewer than three sizes, or no repeats.
    """
    x, biases = np.asarray(references, np.float64), np.subtract(values, references)
    sizes = np.unique(x)
    if len(sizes) < FEWEST_PARTS or len(x) <= len(sizes):
        raise DataError(
            f"there are {len(x)} readings of {len(sizes)} sizes",
            allowed=f"{FEWEST_PARTS} parts of different known sizes or more, each measured several times",
        )
    away = x - x.mean()
    spread = float((away**2).sum())
    slope = float((away * biases).sum()) / spread
    intercept = float(biases.mean()) - slope * float(x.mean())
    left = biases - intercept - slope * x
    degrees = len(x) - 2
    residual = math.sqrt(float((left**2).sum()) / degrees)
    total = float(((biases - biases.mean()) ** 2).sum())
    slope_t = _over(slope, residual / math.sqrt(spread))
    intercept_t = _over(intercept, residual * math.sqrt(1 / len(x) + float(x.mean()) ** 2 / spread))
    return Linearity(
        parts=tuple(PartBias(float(size), int((x == size).sum()), float(biases[x == size].mean())) for size in sizes),
        slope=slope,
        intercept=intercept,
        residual=residual,
        r_squared=1.0 - float((left**2).sum()) / total if total else 1.0,
        slope_t=slope_t,
        intercept_t=intercept_t,
        slope_p=_two_sided(slope_t, degrees),
        intercept_p=_two_sided(intercept_t, degrees),
        bias=float(biases.mean()),
    )


def _over(value: float, error: float) -> float | None:
    return value / error if error else None


def _two_sided(t: float | None, degrees: int) -> float | None:
    return None if t is None else float(2.0 * stats.t.sf(abs(t), degrees))
