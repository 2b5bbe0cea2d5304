"""What became of many parts that were inspected again: how each measurement spreads, and which verdicts flip."""

import math
from collections import Counter
from dataclasses import dataclass, field

from pipeline.replay.again import was_inspected
from pipeline.replay.rerun import Outcome
from pipeline.result import Measurement, Result

MOST_FLIPS = 10_000  # that are listed; all are counted
MOST_FAULTS = 20
PRODUCTION = "production"


@dataclass(slots=True)
class Spread:
    """Of a measured quantity: how often it was measured, and its values (Welford 1962: one pass, no value is kept)."""

    count: int = 0
    mean: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    _squares: float = 0.0

    def add(self, value: float) -> None:
        """One more value."""
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self._squares += step * (value - self.mean)
        self.least, self.most = min(self.least, value), max(self.most, value)

    @property
    def sigma(self) -> float:
        """Standard deviation of the sample; NaN below two values."""
        return math.sqrt(self._squares / (self.count - 1)) if self.count > 1 else math.nan

    def cpk(self, lower: float | None, upper: float | None) -> float:
        """Distance of the mean to the nearer limit over three standard deviations; NaN where there is none of either."""
        sides = [self.mean - lower] if lower is not None else []
        sides += [upper - self.mean] if upper is not None else []
        if not sides or not self.count or not self.sigma > 0:
            return math.nan
        return min(sides) / (3 * self.sigma)


@dataclass(slots=True)
class Quantity:
    """One measurement, as it was published and as it is now, with the limits of now."""

    unit: str = ""
    lower: float | None = None
    upper: float | None = None
    then: Spread = field(default_factory=Spread)
    now: Spread = field(default_factory=Spread)
    farthest: float = 0.0  # of one part, from then to now
    other_unit: int = 0


@dataclass(frozen=True, slots=True)
class Flip:
    """A part with another verdict now."""

    name: str
    then: Result
    now: Result


@dataclass(slots=True)
class Trial:
    """Sums up outcomes in the order in which they come; the same order gives the same digits.

    Attributes:
        inspected: triggers.
        other_recipe, other_purpose: triggers that were left alone; masters, gauge studies and set-up are no production.
        without_inspection: triggers that had been answered with a loss: they have a verdict now, and none then.
        other_parts: triggers in which another number of parts is found now.
        verdicts: how many parts went from which evaluation to which.
        flips: the first of those whose evaluation changed.
        moved_px: how far any keypoint moved.
        unlike: parts whose keypoints or defects are not as they were, to the last digit.
    """

    inspected: int = 0
    other_recipe: int = 0
    other_purpose: int = 0
    without_inspection: int = 0
    other_parts: int = 0
    faulty: int = 0
    unlike: int = 0
    moved_px: float = 0.0
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    quantities: dict[str, Quantity] = field(default_factory=dict)
    flips: list[Flip] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def flipped(self) -> int:
        """Parts with another verdict now."""
        return sum(count for (then, now), count in self.verdicts.items() if then != now)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        if outcome.other_recipe:
            self.other_recipe += 1
        elif outcome.fault:
            self.faulty += 1
            if len(self.faults) < MOST_FAULTS:
                self.faults.append(f"{outcome.name}: {outcome.fault}")
        elif outcome.then[0].purpose != PRODUCTION:
            self.other_purpose += 1
        else:
            self._add_inspected(outcome)

    def _add_inspected(self, outcome: Outcome) -> None:
        self.inspected += 1
        if not was_inspected(outcome.then):
            self.without_inspection += 1
            for now in outcome.now:
                self._measure({}, now)
        elif len(outcome.then) != len(outcome.now):
            self.other_parts += 1
            self._flip(outcome.name, outcome.then[0], outcome.now[0])
        else:
            for then, now in zip(outcome.then, outcome.now, strict=True):
                self._add_part(outcome.name, then, now)

    def _add_part(self, name: str, then: Result, now: Result) -> None:
        before, after = then.result_evaluation.value, now.result_evaluation.value
        self.verdicts[before, after] += 1
        if before != after:
            self._flip(name, then, now)
        if not _is_same(then, now):
            self.unlike += 1
            self.moved_px = max(self.moved_px, _moved_px(then, now))
        self._measure({one.name: one for one in then.measurements}, now)

    def _flip(self, name: str, then: Result, now: Result) -> None:
        if len(self.flips) < MOST_FLIPS:
            self.flips.append(Flip(name, then, now))

    def _measure(self, then: dict[str, Measurement], now: Result) -> None:
        for one in now.measurements:
            quantity = self.quantities.setdefault(one.name, Quantity())
            quantity.unit, quantity.lower, quantity.upper = one.unit, one.lower, one.upper
            before = then.get(one.name)
            quantity.other_unit += before is not None and before.unit != one.unit
            if before is not None and before.value is not None and before.unit == one.unit:
                quantity.then.add(before.value)
                if one.value is not None:
                    quantity.farthest = max(quantity.farthest, abs(one.value - before.value))
            if one.value is not None:
                quantity.now.add(one.value)


def _is_same(then: Result, now: Result) -> bool:
    """Whether what was found in the images is as it was, to the last digit, whatever the recipe makes of it."""
    return then.keypoints == now.keypoints and then.defects == now.defects


def _moved_px(then: Result, now: Result) -> float:
    places = {(one.view, one.name): one for one in then.keypoints}
    farthest = 0.0
    for one in now.keypoints:
        before = places.get((one.view, one.name))
        if before is None or before.x is None or before.y is None or one.x is None or one.y is None:
            continue
        farthest = max(farthest, math.hypot(one.x - before.x, one.y - before.y))
    return farthest
