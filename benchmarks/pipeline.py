"""The whole daemon beside a bare loop of the same stages, in one run: frames a second, and where a frame's time goes."""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from benchmarks.bare import bracket_frames, inspect_bare
from benchmarks.bracket_station import EXPOSURE_MS, BracketStation
from benchmarks.bracket_views import write_views
from benchmarks.report import Figure, Measured, main
from pipeline.client import Message
from pipeline.frame import Frame
from pipeline.inspector import Inspector
from pipeline.recipe import load_recipe
from pipeline.result import Result, ResultState
from pipeline.result_text import percentile
from pipeline.status import Status
from simulator.child import LineProcess
from simulator.line_log import LineLog

NETWORKS = ("coarse", "refine")
FOUR = ("first", "second", "third", "fourth")
OVERLOAD = 1.25  # the line is this much faster than the bare loop, so that the daemon never waits for a part
LEISURE = 1 / 3  # of the bare loop's rate: no frame waits for another
WARM_UP_FRAMES = 1000  # after so many frames every buffer has been used; memory is compared with here
Row = tuple[str | float, ...]


@dataclass(slots=True)
class Bare:
    """A bare loop: parts/s, and the median time of each stage in ms, summed over the views of a part."""

    parts_per_s: float
    stages_ms: dict[str, float]


@dataclass(slots=True)
class Daemon:
    """The whole daemon under overload."""

    parts_per_s: float = 0.0
    memory_mib: dict[str, list[float]] = field(default_factory=dict)
    parts: int = 0

    @property
    def growth_mib(self) -> dict[str, float]:
        """Of each process."""
        return {name: values[-1] - values[0] for name, values in self.memory_mib.items() if len(values) > 1}


@dataclass(slots=True)
class Ratio:
    """Frames/s of the daemon between two runs of the bare loop."""

    cameras: int
    before: Bare
    daemon: Daemon
    after: Bare

    @property
    def daemon_over_bare(self) -> float:
        """The daemon's over the mean of the two."""
        return self.daemon.parts_per_s / ((self.before.parts_per_s + self.after.parts_per_s) / 2)

    def rows(self) -> list[Row]:
        """In frames/s, a frame of each camera being part of a part."""
        before, after = self.before.parts_per_s * self.cameras, self.after.parts_per_s * self.cameras
        name = f"{self.cameras} camera{'s' * (self.cameras > 1)}"
        return [
            (f"bare loop, {name}, before and after", f"{before:.1f} and {after:.1f} frames/s", ""),
            (
                f"daemon, {name}",
                f"{self.daemon.parts_per_s * self.cameras:.1f} frames/s",
                f"{self.daemon_over_bare:.3f}",
            ),
        ]


def measure(quick: bool) -> Measured:
    """Measure frames/s of the daemon over the bare loop's, with one camera and four; trigger to result less the stages; memory."""
    cv2.setNumThreads(1)
    seconds = 5.0 if quick else 30.0
    frames = bracket_frames()
    one = _ratio(BracketStation(()), frames, seconds, 600 if quick else 11_000)
    spans = _unhurried(one.before.parts_per_s * LEISURE, 150 if quick else 1000)
    with tempfile.TemporaryDirectory(prefix="datumd-bench-") as name:
        recipe = write_views(Path(name), FOUR)
        four = _ratio(BracketStation((), recipe=recipe, views=FOUR), frames, seconds, 60 if quick else 1000)
    stages_ms = one.before.stages_ms
    others_ms = sum(value for stage, value in stages_ms.items() if stage not in NETWORKS)
    growth = one.daemon.growth_mib
    rows: list[Row] = [
        *one.rows(),
        *four.rows(),
        *((f"stage {stage}", f"{value:.3f} ms", "") for stage, value in stages_ms.items()),
        ("stages but the networks", f"{others_ms:.3f} ms", ""),
        *spans.rows(),
        *(
            (f"memory {process}, {one.daemon.parts} frames", f"{value:+.2f} MiB", "")
            for process, value in growth.items()
        ),
    ]
    return Measured(
        title=f"1280x1024 Mono8, bracket; line at {OVERLOAD:g} x the bare loop, {seconds:g} s a loop; where time goes: at "
        f"{LEISURE:.2f} x, one camera, a part's own difference; {os.cpu_count()} cores",
        columns=["what", "measured, or p50", "over bare, or p99"],
        rows=rows,
        figures=[
            Figure("daemon_over_bare_loop", one.daemon_over_bare),
            Figure("daemon_over_bare_loop_four_cameras", four.daemon_over_bare),
            Figure("trigger_to_result_but_stages_ms", spans.p50("trigger to result but the stages")),
            Figure("arrival_to_result_but_stages_ms", spans.p50("arrival to result but the stages")),
            Figure("arrival_to_answer_but_stages_ms", spans.p50("arrival to answer but the stages")),
            Figure("other_stages_ms", others_ms),
            Figure("memory_growth_mib", max(growth.values(), default=float("nan"))),
        ],
    )


# Frames a second


def _ratio(station: BracketStation, frames: list[Frame], seconds: float, parts: int) -> Ratio:
    """Bare loop, daemon, bare loop."""
    inspector = Inspector.load(load_recipe(station.recipe))
    _bare(inspector, frames, 1.0)
    before = _bare(inspector, frames, seconds)
    daemon = _overloaded(station, before.parts_per_s * OVERLOAD, seconds, parts)
    return Ratio(len(station.views), before, daemon, _bare(inspector, frames, seconds))


def _bare(inspector: Inspector, frames: list[Frame], seconds: float) -> Bare:
    """Inspect and decide, as fast as one process can."""
    stages: dict[str, list[int]] = {}
    count = 0
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        for stage, duration_ns in inspect_bare(inspector, frames[count % len(frames)]).items():
            stages.setdefault(stage, []).append(duration_ns)
        count += 1
    rate = count / (time.perf_counter() - start)
    return Bare(rate, {stage: statistics.median(values) / 1e6 for stage, values in stages.items()})


def _overloaded(station: BracketStation, rate_hz: float, seconds: float, parts: int) -> Daemon:
    """The line brings more parts than the daemon can take; count those that it inspects."""
    daemon = Daemon()
    times: list[int] = []

    def take(message: Message, _line: LineProcess) -> bool:
        if isinstance(message, Status):
            if len(times) >= min(WARM_UP_FRAMES, parts // 2):
                for process in message.processes:
                    daemon.memory_mib.setdefault(process.name, []).append(process.resident_bytes / 2**20)
        elif isinstance(message, Result) and message.result_state is ResultState.COMPLETED:
            times.append(message.times["answered_monotonic_ns"])
        return len(times) < parts or times[-1] - times[0] < seconds * 1e9

    _at(station, rate_hz).listen(take)
    daemon.parts = len(times)
    daemon.parts_per_s = (len(times) - 1) / ((times[-1] - times[0]) / 1e9)
    return daemon


def _at(station: BracketStation, rate_hz: float) -> BracketStation:
    return BracketStation(["--rate-hz", f"{rate_hz:.2f}"], recipe=station.recipe, views=station.views)


# Where a frame's time goes


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


def _unhurried(rate_hz: float, parts: int) -> Spans:
    """A line so slow that no frame waits for another."""
    heard: list[tuple[Result, int]] = []

    def take(message: Message, _line: LineProcess) -> bool:
        if isinstance(message, Result) and message.result_state is ResultState.COMPLETED:
            heard.append((message, time.monotonic_ns()))
        return len(heard) < parts

    return Spans(_spans(_at(BracketStation(()), rate_hz).listen(take), heard))


def _spans(log: LineLog, heard: list[tuple[Result, int]]) -> dict[str, list[float]]:
    edges = {edge.trigger_number: edge.monotonic_ns for edge in log.edges}
    answered = [
        Answered(result, at_ns, edges[result.trigger_number])
        for result, at_ns in heard
        if result.trigger_number in edges and "dispatched_monotonic_ns" in result.times
    ]
    return {name: [span(one) / 1e6 for one in answered] for name, span in SPANS.items()}


if __name__ == "__main__":
    sys.exit(main("pipeline", measure))
