"""The whole daemon beside a bare loop of the same stages, in one run: frames a second, and where a frame's time goes."""

import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2

from benchmarks.bare import bracket_frames, inspect_bare
from benchmarks.bracket_station import BracketStation
from benchmarks.bracket_views import write_views
from benchmarks.part_spans import Row, part_spans
from benchmarks.report import Figure, Measured, main
from pipeline.client import Message
from pipeline.frame import Frame
from pipeline.inspector import Inspector
from pipeline.recipe import load_recipe
from pipeline.result import Result, ResultState
from pipeline.status import Status
from simulator.child import LineProcess

NETWORKS = ("coarse", "refine")
FOUR = ("first", "second", "third", "fourth")
OVERLOAD = 1.25  # the line is this much faster than the bare loop, so that the daemon never waits for a part
LEISURE = 1 / 3  # of the bare loop's rate: no frame waits for another
WARM_UP_FRAMES = 1000  # after so many frames every buffer has been used; memory is compared with here


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

    def rows(self, name: str) -> list[Row]:
        """In frames/s, a frame of each camera being part of a part."""
        before, after = self.before.parts_per_s * self.cameras, self.after.parts_per_s * self.cameras
        return [
            (f"bare loop, before and after: {name}", f"{before:.1f} and {after:.1f} frames/s", ""),
            (
                f"daemon: {name}",
                f"{self.daemon.parts_per_s * self.cameras:.1f} frames/s",
                f"{self.daemon_over_bare:.3f}",
            ),
        ]


def measure(quick: bool) -> Measured:
    """Measure frames/s of the daemon over the bare loop's, with one camera and four; trigger to result less the stages; memory."""
    cv2.setNumThreads(1)
    seconds = 5.0 if quick else 30.0
    frames = bracket_frames()
    plain, kept = BracketStation(()), BracketStation((), tables=_kept_for_inference())
    apart, one = _ratios([kept, plain], frames, seconds, 600 if quick else 11_000)
    rate_hz = one.before.parts_per_s * LEISURE
    parts = 150 if quick else 1000
    spans_apart, spans = part_spans(_at(kept, rate_hz), parts), part_spans(_at(plain, rate_hz), parts)
    with tempfile.TemporaryDirectory(prefix="datumd-bench-") as name:
        recipe = write_views(Path(name), FOUR)
        (four,) = _ratios([BracketStation((), recipe=recipe, views=FOUR)], frames, seconds, 60 if quick else 1000)
    stages_ms = one.before.stages_ms
    others_ms = sum(value for stage, value in stages_ms.items() if stage not in NETWORKS)
    growth = one.daemon.growth_mib
    rest = "trigger to result but the stages"
    rows: list[Row] = [
        *apart.rows("one camera, infer.cpus"),
        *one.rows("one camera"),
        *four.rows("four cameras"),
        *((f"stage {stage}", f"{value:.3f} ms", "") for stage, value in stages_ms.items()),
        ("stages but the networks", f"{others_ms:.3f} ms", ""),
        *spans.rows(),
        *((f"infer.cpus: {name}", p50, p99) for name, p50, p99 in spans_apart.rows()),
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
            Figure("daemon_over_bare_loop_infer_cpus", apart.daemon_over_bare),
            Figure("daemon_over_bare_loop_four_cameras", four.daemon_over_bare),
            Figure("trigger_to_result_but_stages_ms", spans.p50(rest)),
            Figure("trigger_to_result_but_stages_infer_cpus_ms", spans_apart.p50(rest)),
            Figure("arrival_to_result_but_stages_ms", spans.p50("arrival to result but the stages")),
            Figure("arrival_to_answer_but_stages_ms", spans.p50("arrival to answer but the stages")),
            Figure("other_stages_ms", others_ms),
            Figure("memory_growth_mib", max(growth.values(), default=float("nan"))),
        ],
    )


def _kept_for_inference() -> str:
    """A processor for inference alone, as docs/operations.md advises; nothing where there is only one."""
    allowed = os.sched_getaffinity(0)
    return f"[infer]\ncpus = [{max(allowed)}]\n" if len(allowed) > 1 else ""


# Frames a second


def _ratios(stations: list[BracketStation], frames: list[Frame], seconds: float, parts: int) -> list[Ratio]:
    """Bare loop, daemon, bare loop, daemon of the next station, bare loop and so on; `parts` of the last one at least."""
    inspector = Inspector.load(load_recipe(stations[0].recipe))
    _bare(inspector, frames, 1.0)
    ratios: list[Ratio] = []
    before = _bare(inspector, frames, seconds)
    for station in stations:
        wanted = parts if station is stations[-1] else 0
        daemon = _overloaded(station, before.parts_per_s * OVERLOAD, seconds, wanted)
        after = _bare(inspector, frames, seconds)
        ratios.append(Ratio(len(station.views), before, daemon, after))
        before = after
    return ratios


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
        return len(times) < max(2, parts) or times[-1] - times[0] < seconds * 1e9

    _at(station, rate_hz).listen(take)
    daemon.parts = len(times)
    daemon.parts_per_s = (len(times) - 1) / ((times[-1] - times[0]) / 1e9)
    return daemon


def _at(station: BracketStation, rate_hz: float) -> BracketStation:
    return replace(station, line_options=["--rate-hz", f"{rate_hz:.2f}"])


if __name__ == "__main__":
    sys.exit(main("pipeline", measure))
