"""What differs between published results and those of now, over many parts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.errors import ConfigError
from pipeline.recipe import Recipe
from pipeline.replay.again import was_inspected
from pipeline.replay.difference import NUMBERS, Difference, Tolerances, differences
from pipeline.replay.rerun import Outcome
from pipeline.replay.sameness import compare
from pipeline.result import Result

MOST_LINES = 10  # of one part
MOST_PARTS = 20  # whose differences are told

Judge = Callable[[Sequence[Result], Sequence[Result]], list[Difference]]


@dataclass(slots=True)
class FieldDifferences:
    """Of one field: in how many places it differs, in how many by more than is allowed, and how far at most."""

    count: int = 0
    over: int = 0
    farthest: float = 0.0


@dataclass(slots=True)
class Replayed:
    """Counts outcomes. A trigger is the same bit for bit, differs as far as is allowed, or differs."""

    same: int = 0
    allowed: int = 0
    different: int = 0
    without_inspection: int = 0
    faults: list[str] = field(default_factory=list)
    fields: dict[str, FieldDifferences] = field(default_factory=dict)

    @property
    def inspected(self) -> int:
        """Triggers that were compared."""
        return self.same + self.allowed + self.different

    def add(self, outcome: Outcome, judge: Judge) -> list[str]:
        """Count one outcome; returns lines that tell what differs by more than is allowed."""
        if outcome.fault:
            self.faults.append(f"{outcome.name}: {outcome.fault}")
            return self.faults[-1:]
        if not was_inspected(outcome.then):
            self.without_inspection += 1
            return []
        found = judge(outcome.then, outcome.now)
        for one in found:
            entry = self.fields.setdefault(one.field, FieldDifferences())
            entry.count += 1
            entry.over += not one.is_allowed
            entry.farthest = max(entry.farthest, one.distance or 0.0)
        over = [one.text() for one in found if not one.is_allowed]
        self.same += not found
        self.allowed += bool(found) and not over
        self.different += bool(over)
        return self._lines(outcome.name, over)

    def _lines(self, name: str, over: Sequence[str]) -> list[str]:
        if not over or self.different > MOST_PARTS:
            return []
        more = [f"  and {len(over) - MOST_LINES} more"] if len(over) > MOST_LINES else []
        return [f"{name}:", *(f"  {line}" for line in over[:MOST_LINES]), *more]

    def rows(self) -> list[tuple[str, ...]]:
        """A heading, then a row for each field that differs anywhere; nothing where none does."""
        found = [
            (name, str(one.count), str(one.over), f"{one.farthest:.6g}" if one.farthest else "")
            for name, one in sorted(self.fields.items())
        ]
        return [("field", "differs", "too far", "farthest"), *found] if found else []


def exactly_but(by_field: dict[str, float]) -> Judge:
    """Allow each field what is named, and all others nothing."""
    tolerances = Tolerances(by_field)
    return lambda then, now: differences(then, now, tolerances)


def within_parity(recipe: Recipe) -> Judge:
    """Allow what the recipe's seal allows another backend."""
    return lambda then, now: compare(then, now, recipe).differences


def tolerances_of(given: Sequence[str]) -> dict[str, float]:
    """FIELD=NUMBER each, as on a command line. Raises ConfigError."""
    found = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if name not in NUMBERS or not value >= 0.0:
            raise ConfigError(
                f"is {text!r}", where="--tolerance", allowed=f"FIELD=NUMBER, FIELD one of {', '.join(NUMBERS)}"
            )
        found[name] = value
    return found
