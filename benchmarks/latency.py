"""How long from the line's edge until a subscriber has the result, as a ratio to the bare loop's time for one frame."""

import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.bare import BareProcess
from benchmarks.bracket_station import listen_to_brackets
from benchmarks.report import Figure, Measured, main
from pipeline.client import Message
from pipeline.result import Result, ResultState
from pipeline.result_text import percentile

LOAD, OVERLOAD = 0.5, 3.0  # triggers a second over frames a second of the bare loop
SPARSE_GAP_MS = 100.0
PERCENTILES = (50.0, 99.0, 99.9, 100.0)


@dataclass(slots=True)
class Series:
    """The triggers of one kind of line: ms from edge to result by trigger number, and those that got a verdict."""

    received_ns: dict[int, int] = field(default_factory=dict)
    verdicts: set[int] = field(default_factory=set)
    latencies_ms: dict[int, float] = field(default_factory=dict)
    bare_ms: list[float] = field(default_factory=list)

    def rows(self, name: str) -> list[tuple[str, ...]]:
        """All results, and the verdicts among them where they are not the same."""
        every = list(self.latencies_ms.values())
        verdicts = [value for number, value in self.latencies_ms.items() if number in self.verdicts]
        found = [_row(f"{name}: results", every, self.bare_ms)]
        if len(verdicts) < len(every):
            found.append(_row(f"{name}: verdicts", verdicts, self.bare_ms))
        return found


def _row(name: str, values: Sequence[float], bare_ms: Sequence[float]) -> tuple[str, ...]:
    bare = percentile(bare_ms, 50)
    cells = [f"{value:.1f} ({value / bare:.2f})" for value in (percentile(values, share) for share in PERCENTILES)]
    return (name, str(len(values)), f"{bare:.2f}", *cells)


def measure(quick: bool) -> Measured:
    """Measure ms from the line's edge to the result at a subscriber, and their ratio to the bare loop's time of one frame."""
    continuous_count, sparse_count, overload_count = (300, 250, 600) if quick else (2000, 2000, 6000)
    with BareProcess() as bare:
        first_ms = _bare_slice(bare, quick)
        rate_hz = 1000.0 / percentile(first_ms, 50)
        continuous = _measured(bare, quick, ["--rate-hz", f"{rate_hz * LOAD:.2f}"], continuous_count)
        sparse = _sparse(bare, sparse_count)
        overload = _measured(bare, quick, ["--rate-hz", f"{rate_hz * OVERLOAD:.2f}"], overload_count)
    series = {f"continuous, {LOAD:.0%} load": continuous, f"sparse, {SPARSE_GAP_MS:g} ms mean": sparse}
    series[f"{OVERLOAD:g} x overload"] = overload
    rows = [row for name, found in series.items() for row in found.rows(name)]
    figures = []
    for name, found in (("continuous", continuous), ("sparse", sparse), ("overload", overload)):
        bare_ms = percentile(found.bare_ms, 50)
        values = list(found.latencies_ms.values())
        figures += [Figure(f"{name}_p{share:g}_over_bare", percentile(values, share) / bare_ms) for share in (50, 99)]
    return Measured(
        title=f"1280x1024 Mono8, bracket, one camera, ms from the line's edge to the subscriber (over the bare loop's p50); "
        f"sparse: a bare frame after each result, {os.cpu_count()} cores",
        columns=["line", "count", "bare p50", *(f"p{share:g}" if share < 100 else "max" for share in PERCENTILES)],
        rows=rows,
        figures=figures,
    )


def _bare_slice(bare: BareProcess, quick: bool) -> list[float]:
    bare.ask(100 if quick else 400)
    return bare.collect()


def _measured(bare: BareProcess, quick: bool, options: Sequence[str], count: int) -> Series:
    """A line between two slices of the bare loop."""
    before = _bare_slice(bare, quick)
    series = _listened([*options, "--triggers", str(count)], count, lambda: None)
    series.bare_ms = before + _bare_slice(bare, quick)
    return series


def _sparse(bare: BareProcess, count: int) -> Series:
    """Parts at random; the bare loop inspects one frame after each result, so that both find the same idle machine."""
    bare_ms: list[float] = []
    bare.ask(0)

    def go_on() -> None:
        if bare.is_done():
            bare_ms.extend(bare.collect())
            bare.ask(1)

    series = _listened(["--random-gaps", f"{SPARSE_GAP_MS:g}", "--triggers", str(count)], count, go_on)
    series.bare_ms = bare_ms + bare.collect()
    return series


def _listened(options: Sequence[str], count: int, after_result: Callable[[], None]) -> Series:
    series = Series()

    def take(message: Message) -> bool:
        if isinstance(message, Result) and message.trigger_number is not None:
            series.received_ns[message.trigger_number] = time.monotonic_ns()
            if message.result_state is ResultState.COMPLETED:
                series.verdicts.add(message.trigger_number)
            after_result()
        return len(series.received_ns) < count

    edges = listen_to_brackets(options, take).edges
    made_ns = {edge.trigger_number: edge.monotonic_ns for edge in edges}
    series.latencies_ms = {n: (at_ns - made_ns[n]) / 1e6 for n, at_ns in series.received_ns.items() if n in made_ns}
    if not series.verdicts or math.isnan(percentile(list(series.latencies_ms.values()), 50)):
        raise RuntimeError("no part was inspected")
    return series


if __name__ == "__main__":
    sys.exit(main("latency", measure))
