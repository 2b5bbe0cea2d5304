"""Agreement of verdicts: with themselves, and with what is known of the parts (AIAG MSA 4, chapter III C)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from pipeline.errors import DataError

GOOD_KAPPA, FAIR_KAPPA = 0.75, 0.40


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of cases, with its exact 95% interval (Clopper and Pearson, 1934)."""

    hits: int
    cases: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """None where there was no case."""
        return self.hits / self.cases if self.cases else None


def rate(hits: int, cases: int) -> Rate:
    """``hits`` of ``cases``."""
    low = float(stats.beta.ppf(0.025, hits, cases - hits + 1)) if hits else 0.0
    high = float(stats.beta.ppf(0.975, hits + 1, cases - hits)) if hits < cases else 1.0
    return Rate(hits, cases, low, high)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Verdicts on parts that are known to be good or bad, each part inspected several times.

    Attributes:
        consistent: parts whose verdicts were all the same.
        effective: parts whose verdicts were all right.
        miss: verdicts that passed a bad part, of the verdicts on bad parts.
        false_alarm: verdicts that rejected a good part, of the verdicts on good parts.
        kappa: Cohen's kappa of all verdicts with the truth; None where there is only one class.
    """

    consistent: Rate
    effective: Rate
    miss: Rate
    false_alarm: Rate
    kappa: float | None


def agreement(truths: Mapping[str, bool], passed: Mapping[str, Sequence[bool]]) -> Agreement:
    """Compare verdicts with the truth.

    Args:
        truths: whether each part is good.
        passed: the verdicts on each part, True where it passed.

    Raises:
        DataError: a part is not known, or there is none.
    """
    unknown = sorted(set(passed) - set(truths))
    if unknown or not passed:
        raise DataError(
            f"of {len(unknown)} parts it is not known whether they are good, the first is {unknown[0]!r}"
            if unknown
            else "there are no verdicts",
            allowed="a truth, OK or NOT_OK, for every part",
        )
    pairs = [(truths[part], verdict) for part, verdicts in passed.items() for verdict in verdicts]
    bad = [verdict for truth, verdict in pairs if not truth]
    good = [verdict for truth, verdict in pairs if truth]
    return Agreement(
        consistent=rate(sum(len(set(verdicts)) == 1 for verdicts in passed.values()), len(passed)),
        effective=rate(sum(set(verdicts) == {truths[part]} for part, verdicts in passed.items()), len(passed)),
        miss=rate(sum(bad), len(bad)),
        false_alarm=rate(len(good) - sum(good), len(good)),
        kappa=kappa(pairs),
    )


def kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Cohen's kappa (1960) of two raters of the same cases; None where chance alone would agree always."""
    count = len(pairs)
    first, second = sum(one for one, _ in pairs) / count, sum(other for _, other in pairs) / count
    observed = sum(one == other for one, other in pairs) / count
    expected = first * second + (1 - first) * (1 - second)
    return None if expected == 1.0 else (observed - expected) / (1.0 - expected)
