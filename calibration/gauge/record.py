"""A study taken from a running station: a person puts each part in, a software trigger inspects it, the reading is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from calibration.gauge.readings import Reading, ReadingsFile
from pipeline.client import Control, Subscription, find_control
from pipeline.clock import monotonic_ns
from pipeline.errors import DataError
from pipeline.result import Result
from pipeline.security import ClientKeys
from pipeline.status import Heartbeat

Say = Callable[[str], None]
Cell = tuple[str, str, int]


@dataclass(frozen=True)
class Plan:
    """What is measured: each part in each loading, so and so often.

    Attributes:
        parts, loadings: their names. A loading is one time that a part is put in, or one person who does it.
        repeats: inspections of a part without touching it.
    """

    parts: Sequence[str]
    loadings: Sequence[str]
    repeats: int

    def cells(self) -> Iterator[Cell]:
        """In the order in which they are measured: all parts once, then all of them again."""
        for loading in self.loadings:
            for part in self.parts:
                for repeat in range(1, self.repeats + 1):
                    yield part, loading, repeat


def record(
    plan: Plan, file: ReadingsFile, inspect: Callable[[str], Result], ask: Callable[[str], None], say: Say
) -> None:
    """Measure what the file does not have yet.

    Args:
        plan: what is asked for.
        file: takes each reading before the next part is asked for; what is in it already is not measured again.
        inspect: one part, by the part id that its result shall bear.
        ask: has a person put the part in, and returns when that is done.
        say: receives a line for each reading.

    Raises:
        DataError: the station measured nothing, or the recipe or the configuration changed on the way.
    """
    done = {one.cell for one in file.readings}
    cells = list(plan.cells())
    if left := [cell for cell in cells if cell not in done]:
        say(f"{len(cells) - len(left)} of {len(cells)} inspections are there, {len(left)} to go")
    placed: tuple[str, str] | None = None
    for part, loading, repeat in left:
        if placed != (part, loading):
            ask(f"part {part}, loading {loading}: put it in")
            placed = part, loading
        result = inspect(f"gauge-{part}-{loading}-{repeat}")
        found = readings_of(result, part, loading, repeat)
        _same(file.readings, found)
        file.add(found)
        values = ", ".join(f"{one.measurement} {one.value:.6g} {one.unit}" for one in found)
        say(f"part {part}, loading {loading}, repeat {repeat}: {values}")


def readings_of(result: Result, part: str, loading: str, repeat: int) -> list[Reading]:
    """One reading for each measurement of a result. Raises DataError where it has none."""
    if not result.measurements:
        reasons = ", ".join(reason.code for reason in result.reasons) or result.result_state.value
        raise DataError(
            f"part {part}, loading {loading} was not measured: {reasons}",
            allowed="a recipe with [measure], and a part in its place",
            next_command="the same command again: it goes on here",
        )
    return [
        Reading(
            measurement=one.name,
            part=part,
            loading=loading,
            repeat=repeat,
            value=math.nan if one.value is None else one.value,
            unit=one.unit,
            lower=one.lower,
            upper=one.upper,
            verdict=one.evaluation.value,
            time=result.creation_time,
            session=result.session,
            seq=result.seq,
            recipe=f"{result.product_id} {result.recipe_id}".strip(),
            configuration=result.configuration_id,
        )
        for one in result.measurements
    ]


def _same(before: Sequence[Reading], now: Sequence[Reading]) -> None:
    """A study is of one recipe and one configuration."""
    if not before or (before[0].recipe, before[0].configuration) == (now[0].recipe, now[0].configuration):
        return
    raise DataError(
        f"the study was begun with recipe {before[0].recipe}, configuration {before[0].configuration}; "
        f"the station has {now[0].recipe}, {now[0].configuration} now",
        allowed="one recipe and one configuration for all of it",
        next_command="begin a new study with another --out",
    )


class Inspections:
    """Single inspections by a running station, each by a software trigger of purpose `gauge`."""

    def __init__(self, endpoint: str, station: str, keys: ClientKeys | None, timeout_s: float) -> None:
        """Connect. Raises NoAnswer where the station is not heard, ConfigError where the endpoint is none."""
        control = find_control(endpoint, station, keys)
        self._timeout_s = timeout_s
        self._subscription = Subscription(endpoint, station, control=control, keys=keys)
        self._control = Control(control, keys)
        until = monotonic_ns() + int(timeout_s * 1e9)
        while not isinstance(self._subscription.receive(0.2), Heartbeat):  # from here on nothing is missed
            if monotonic_ns() > until:
                raise _silent(timeout_s)

    def inspect(self, part_id: str) -> Result:
        """Trigger and wait for the answer. Raises DataError where none comes, RequestRefused where the station will not."""
        number = self._control.trigger(part_id, purpose="gauge")
        until = monotonic_ns() + int(self._timeout_s * 1e9)
        while monotonic_ns() < until:
            message = self._subscription.receive(0.2)
            if isinstance(message, Result) and message.software_trigger == number:
                return message
        raise _silent(self._timeout_s)

    def close(self) -> None:
        """Let go."""
        self._control.close()
        self._subscription.close()


def _silent(seconds: float) -> DataError:
    return DataError(
        f"no answer within {seconds:g} s", next_command="datumd status; then the same command: it goes on here"
    )
