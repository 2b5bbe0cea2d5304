"""Sums up the results of a span: counts, reasons, measurements, times without an answer."""

from collections import Counter
from dataclasses import dataclass, field

from pipeline.ledger.journal_rows import AuditEntry
from pipeline.replay.trial import Spread
from pipeline.result import Disposition, Evaluation, Measurement, Reason, Result, ResultState

MOST_PAUSES = 1_000  # that are listed; all are counted
_PRODUCTION = "production"


@dataclass(slots=True)
class Measured:
    """One measurement of one recipe as it was: its values where it had one, and how often it was what."""

    unit: str
    lower: float | None
    upper: float | None
    spread: Spread = field(default_factory=Spread)
    evaluations: Counter[Evaluation] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Pause:
    """A time without any answer, from one to the next; UTC ns."""

    since_ns: int
    until_ns: int

    @property
    def seconds(self) -> float:
        """How long."""
        return (self.until_ns - self.since_ns) / 1e9


@dataclass(slots=True)
class Production:
    """Results are added in the order of the journal.

    Attributes:
        least_pause_s: a time without an answer counts as a pause from this on.
        results: of production, all of them; those of other purposes are in `others` alone.
        evaluations, dispositions: of them.
        losses: by the first reason, of those that are FAILED: nothing could be said of the part.
        reasons: (code, name) of every reason of a part that did not pass, each counted once for a part.
        measured: by (recipe, configuration, view, name, unit): of one set of limits each.
        recipes: parts by recipe.
        sessions: of the ledger, in their order.
        changes: the audit trail of the span.
        missing: results that the journal no longer has.
    """

    least_pause_s: float
    results: int = 0
    evaluations: Counter[Evaluation] = field(default_factory=Counter)
    dispositions: Counter[Disposition] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    measured: dict[tuple[str, str, str, str, str], Measured] = field(default_factory=dict)
    recipes: Counter[str] = field(default_factory=Counter)
    sessions: list[int] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    paused_s: float = 0.0
    changes: list[AuditEntry] = field(default_factory=list)
    missing: int = 0
    first_ns: int | None = None
    last_ns: int | None = None

    def add(self, result: Result, utc_ns: int) -> None:
        """One result, with when it was answered."""
        self._time(utc_ns)
        if result.session not in self.sessions[-1:]:
            self.sessions.append(result.session)
        if result.purpose != _PRODUCTION:
            self.others[result.purpose] += 1
            return
        self.results += 1
        self.evaluations[result.result_evaluation] += 1
        self.dispositions[result.disposition] += 1
        self.recipes[_recipe(result)] += 1
        if result.result_state is ResultState.FAILED:
            self.losses[result.reasons[0].code if result.reasons else ""] += 1
        if result.disposition is not Disposition.PASS:
            self.reasons.update({_named(reason) for reason in result.reasons})
        for measurement in result.measurements:
            self._measure(result, measurement)

    @property
    def passed(self) -> float | None:
        """Share of production that passed; None where there was none."""
        return self.dispositions[Disposition.PASS] / self.results if self.results else None

    def _time(self, utc_ns: int) -> None:
        if self.first_ns is None:
            self.first_ns = utc_ns
        elif self.last_ns is not None and utc_ns - self.last_ns >= self.least_pause_s * 1e9:
            pause = Pause(self.last_ns, utc_ns)
            self.paused_s += pause.seconds
            if len(self.pauses) < MOST_PAUSES:
                self.pauses.append(pause)
        self.last_ns = utc_ns

    def _measure(self, result: Result, measurement: Measurement) -> None:
        key = (_recipe(result), result.configuration_id, measurement.view, measurement.name, measurement.unit)
        found = self.measured.setdefault(key, Measured(measurement.unit, measurement.lower, measurement.upper))
        found.evaluations[measurement.evaluation] += 1
        if measurement.value is not None:
            found.spread.add(measurement.value)


def _recipe(result: Result) -> str:
    return f"{result.product_id} ({result.recipe_id})"


def _named(reason: Reason) -> tuple[str, str]:
    return reason.code, reason.name
