"""Where the time of one part goes, from the line's edge to a subscriber, on a line so slow that no frame waits for another."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.bracket_station import EXPOSURE_MS, BracketStation
from pipeline.client import Message
from pipeline.result import Result, ResultState
from pipeline.result_text import percentile
from simulator.child import LineProcess
from simulator.line_log import LineLog

Row = tuple[str | float, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """A result, when the subscriber had it, and when the line's edge was; ns of one clock."""

    result: Result
    at_ns: int
    edge_ns: int

    @property
    def stages_ns(self) -> int:
        """All of them, one after the other."""
        return sum(self.result.stages_ns.values())

    @property
    def exposed_ns(self) -> float:
        """The end of the exposure: before it there is no frame."""
        return self.edge_ns + (self.result.views[0].exposure_us or 0.0) * 1e3

    def time_ns(self, name: str) -> int:
        """One of the result's own times."""
        return self.result.times[f"{name}_monotonic_ns"]


SPANS: dict[str, Callable[[Answered], float]] = {
    "exposure": lambda one: one.exposed_ns - one.edge_ns,
    "exposed, to arrival: the camera's transport": lambda one: one.time_ns("received") - one.exposed_ns,
    "arrival, to dispatch: chunks, ring, messages": lambda one: one.time_ns("dispatched") - one.time_ns("received"),
    "dispatch, to answer, but the stages: messages": lambda one: (
        one.time_ns("answered") - one.time_ns("dispatched") - one.stages_ns
    ),
    "answer, to subscriber: journal, stream, client": lambda one: one.at_ns - one.time_ns("answered"),
    "stages": lambda one: one.stages_ns,
    "edge to result": lambda one: one.at_ns - one.edge_ns,
    "trigger to result but the stages": lambda one: one.at_ns - one.exposed_ns - one.stages_ns,
    "arrival to result but the stages": lambda one: one.at_ns - one.time_ns("received") - one.stages_ns,
    "arrival to answer but the stages": lambda one: one.time_ns("answered") - one.time_ns("received") - one.stages_ns,
}
NOTES = {"trigger to result but the stages": f", and the exposure of {EXPOSURE_MS:g} ms"}


@dataclass(frozen=True, slots=True)
class Spans:
    """How long what took, ms of every part by the names of SPANS."""

    ms: dict[str, list[float]]

    def p50(self, name: str) -> float:
        """The median."""
        return percentile(self.ms[name], 50)

    def rows(self) -> list[Row]:
        """One for each span."""
        return [
            (f"{name}{NOTES.get(name, '')}", f"{self.p50(name):.3f} ms", f"{percentile(values, 99):.3f} ms")
            for name, values in self.ms.items()
        ]


def part_spans(station: BracketStation, parts: int) -> Spans:
    """Of so many parts that were inspected."""
    heard: list[tuple[Result, int]] = []

    def take(message: Message, _line: LineProcess) -> bool:
        if isinstance(message, Result) and message.result_state is ResultState.COMPLETED:
            heard.append((message, time.monotonic_ns()))
        return len(heard) < parts

    return Spans(_spans(station.listen(take), heard))


def _spans(log: LineLog, heard: list[tuple[Result, int]]) -> dict[str, list[float]]:
    edges = {edge.trigger_number: edge.monotonic_ns for edge in log.edges}
    answered = [
        Answered(result, at_ns, edges[result.trigger_number])
        for result, at_ns in heard
        if result.trigger_number in edges and "dispatched_monotonic_ns" in result.times
    ]
    return {name: [span(one) / 1e6 for one in answered] for name, span in SPANS.items()}
