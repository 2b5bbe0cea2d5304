"""Type-1 study: one part of known size, measured again and again (Cg and Cgk as VDA 5 and Minitab define them)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipeline.errors import DataError

SHARE = 0.20  # of the tolerance that six standard deviations may take
CAPABLE = 1.33
FEWEST, RECOMMENDED = 10, 50


@dataclass(frozen=True, slots=True)
class Type1:
    """A gauge on one part.

    Attributes:
        sigma: standard deviation of the readings, n - 1.
        bias: their mean less the reference, with the ends of its 95% interval.
        t, p: of the hypothesis that there is no bias; None where all readings are alike.
        cg, cgk: capability without and with the bias; infinite where all readings are alike, cgk only without a bias.
    """

    count: int
    mean: float
    sigma: float
    bias: float
    bias_low: float
    bias_high: float
    t: float | None
    p: float | None
    cg: float
    cgk: float

    @property
    def is_capable(self) -> bool:
        """Both indices reach 1.33."""
        return min(self.cg, self.cgk) >= CAPABLE


def type1(values: Sequence[float], reference: float, tolerance: float) -> Type1:
    """Analyse readings of one part whose size is ``reference``; ``tolerance`` is the width of its tolerance, same unit.

    Raises:
        DataError: fewer than ten readings.
    """
    count = len(values)
    if count < FEWEST:
        raise DataError(f"there are {count} readings", allowed=f"{FEWEST} or more of one part, {RECOMMENDED} are usual")
    mean, sigma = float(np.mean(values)), float(np.std(values, ddof=1))
    bias, error = mean - reference, sigma / math.sqrt(count)
    reach = float(stats.t.ppf(0.975, count - 1)) * error
    t = bias / error if error else None
    return Type1(
        count=count,
        mean=mean,
        sigma=sigma,
        bias=bias,
        bias_low=bias - reach,
        bias_high=bias + reach,
        t=t,
        p=None if t is None else float(2.0 * stats.t.sf(abs(t), count - 1)),
        cg=_over(SHARE * tolerance, 6.0 * sigma),
        cgk=_over(0.5 * SHARE * tolerance - abs(bias), 3.0 * sigma),
    )


def _over(room: float, spread: float) -> float:
    return room / spread if spread else math.copysign(math.inf, room)
