"""Frames a second through the whole daemon, beside a bare loop of the same stages in one process, in one run."""

import os
import statistics
import sys
import time
from dataclasses import dataclass, field

import cv2

from benchmarks.bare import RECIPE, bracket_frames, inspect_bare
from benchmarks.bracket_station import listen_to_brackets
from benchmarks.report import Figure, Measured, main
from pipeline.client import Message
from pipeline.frame import Frame
from pipeline.inspector import Inspector
from pipeline.recipe import load_recipe
from pipeline.result import Result, ResultState
from pipeline.result_text import percentile
from pipeline.status import Status

NETWORKS = ("coarse", "refine")
OVERLOAD = 1.25  # the line is this much faster than the bare loop, so that the daemon never waits for a part
WARM_UP_FRAMES = 1000  # after so many frames every buffer has been used; memory is compared with here


@dataclass(slots=True)
class Bare:
    """A bare loop: frames/s, and the median time of each stage in ms."""

    frames_per_s: float
    stages_ms: dict[str, float]


@dataclass(slots=True)
class Daemon:
    """The whole daemon under overload, and at half of its load."""

    frames_per_s: float = 0.0
    memory_mib: dict[str, list[float]] = field(default_factory=dict)
    frames: int = 0


def measure(quick: bool) -> Measured:
    """Measure frames/s through the daemon over those of a bare loop; the daemon's own time per frame; memory."""
    cv2.setNumThreads(1)
    seconds = 8.0 if quick else 30.0
    inspector = Inspector.load(load_recipe(RECIPE))
    frames = bracket_frames()
    _bare(inspector, frames, 1.0)
    before = _bare(inspector, frames, seconds)
    daemon = _overloaded(before.frames_per_s * OVERLOAD, seconds, 2000 if quick else 11_000)
    after = _bare(inspector, frames, seconds)
    overhead_ms, between_ms = _unhurried(before.frames_per_s / 3, 150 if quick else 1000)
    bare_rate = (before.frames_per_s + after.frames_per_s) / 2
    networks_ms = sum(before.stages_ms.get(name, 0.0) for name in NETWORKS)
    others_ms = sum(before.stages_ms.values()) - networks_ms
    growth = {name: values[-1] - values[0] for name, values in daemon.memory_mib.items() if len(values) > 1}
    rows: list[tuple[str, str]] = [
        ("bare loop, before and after", f"{before.frames_per_s:.1f} and {after.frames_per_s:.1f} frames/s"),
        ("daemon, one camera", f"{daemon.frames_per_s:.1f} frames/s"),
        *((f"stage {name}", f"{value:.3f} ms") for name, value in before.stages_ms.items()),
        ("stages but the networks", f"{others_ms:.3f} ms"),
        ("frame to answer but the stages, p50", f"{overhead_ms:.3f} ms"),
        ("frame to answer, p99", f"{between_ms:.3f} ms"),
        *((f"memory {name}, {daemon.frames} frames", f"{value:+.2f} MiB") for name, value in growth.items()),
    ]
    return Measured(
        title=f"1280x1024 Mono8, bracket, line at {OVERLOAD:g} x the bare loop, {seconds:g} s a loop, {os.cpu_count()} cores",
        columns=["what", "measured"],
        rows=rows,
        figures=[
            Figure("daemon_over_bare_loop", daemon.frames_per_s / bare_rate),
            Figure("other_stages_ms", others_ms),
            Figure("overhead_ms", overhead_ms),
            Figure("memory_growth_mib", max(growth.values(), default=float("nan"))),
        ],
    )


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


def _overloaded(rate_hz: float, seconds: float, frames: int) -> Daemon:
    """The line brings more parts than the daemon can take; count those that it inspects."""
    daemon = Daemon()
    times: list[int] = []

    def take(message: Message) -> bool:
        if isinstance(message, Status):
            if len(times) >= min(WARM_UP_FRAMES, frames // 2):
                for process in message.processes:
                    daemon.memory_mib.setdefault(process.name, []).append(process.resident_bytes / 2**20)
        elif isinstance(message, Result) and message.result_state is ResultState.COMPLETED:
            times.append(message.times["answered_monotonic_ns"])
        return len(times) < frames or times[-1] - times[0] < seconds * 1e9

    listen_to_brackets(_options(rate_hz), take)
    daemon.frames = len(times)
    daemon.frames_per_s = (len(times) - 1) / ((times[-1] - times[0]) / 1e9)
    return daemon


def _unhurried(rate_hz: float, frames: int) -> tuple[float, float]:
    """Ms from the frame's arrival to its answer, in ms: without the stages (p50), with them (p99); no queue."""
    overheads: list[float] = []
    totals: list[float] = []

    def take(message: Message) -> bool:
        if isinstance(message, Result) and message.result_state is ResultState.COMPLETED:
            took = message.times["received_to_answered_ns"]
            overheads.append((took - sum(message.stages_ns.values())) / 1e6)
            totals.append(took / 1e6)
        return len(totals) < frames

    listen_to_brackets(_options(rate_hz), take)
    return percentile(overheads, 50), percentile(totals, 99)


def _options(rate_hz: float) -> list[str]:
    return ["--rate-hz", f"{rate_hz:.1f}"]


if __name__ == "__main__":
    sys.exit(main("pipeline", measure))
