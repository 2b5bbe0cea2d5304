"""Parts that come seldom, when caches are cold and clocks are low: the slowest of them, and how long a cold start takes.

In blocks that take turns, the line triggers the daemon and a bare loop has frames come in the same way, at random gaps. Either
time runs from when the part came, so that a part that has to wait for the one before it waits in both.
"""

import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bare import RECIPE, BareProcess
from benchmarks.bracket_station import EXPOSURE_MS, BracketStation
from benchmarks.report import Figure, Measured, main
from pipeline.client import Message
from pipeline.result import Result, ResultState
from pipeline.result_text import percentile
from simulator.child import LineProcess

GAP_MS = 100.0
DEADLINE_MS = 2000.0
BLOCK = 50  # triggers, then as many frames of the bare loop
QUIET_S = 0.3  # after the line was told to pause, until its last edge has been answered
PERCENTILES = (50.0, 99.0, 99.9, 100.0)
START_LIMIT_S = 60.0
SEED = 7
LOADING = """
import sys, time
begun = time.monotonic()
import pipeline.workers.infer
from pathlib import Path
from pipeline.inspector import Inspector
from pipeline.recipe import find_recipes
kept = [Inspector.load(found.recipe) for found in find_recipes(Path(sys.argv[1])) if found.recipe]
print(time.monotonic() - begun)
"""
Row = tuple[str | float, ...]


def measure(quick: bool) -> Measured:
    """Measure p99.9 of sparse triggers over that of a bare loop; a daemon's cold start beside loading the networks."""
    starts = [_cold_start() for _ in range(2 if quick else 5)]
    with BareProcess() as bare:
        sparse = _Sparse(bare, 250 if quick else 2000)
        daemon_ms = sparse.listen()
    ready_s, loading_s = (statistics.median(values) for values in zip(*starts, strict=True))
    ratios = [percentile(daemon_ms, share) / percentile(sparse.bare_ms, share) for share in PERCENTILES]
    rows: list[Row] = [
        ("daemon, edge to result, ms", len(daemon_ms), *_tail(daemon_ms)),
        (f"  of these without a verdict, counted as {DEADLINE_MS:g}", len(sparse.without_verdict), "", "", "", ""),
        ("bare loop, part to verdict, ms", len(sparse.bare_ms), *_tail(sparse.bare_ms)),
        ("daemon over bare loop", "", *ratios),
        ("cold start to Ready, s", len(starts), ready_s, "", "", max(ready for ready, _ in starts)),
        ("importing and loading the networks, s", len(starts), loading_s, "", "", max(took for _, took in starts)),
    ]
    return Measured(
        title=f"1280x1024 Mono8, bracket, one camera that exposes for {EXPOSURE_MS:g} ms; random gaps, mean {GAP_MS:g} ms, in "
        f"turn in blocks of {BLOCK}; cold start: from `datumd run` to what systemd takes for ready, {os.cpu_count()} cores",
        columns=["what", "count", *(f"p{share:g}" if share < 100 else "max" for share in PERCENTILES)],
        rows=rows,
        figures=[
            Figure("p99_9_over_bare", ratios[PERCENTILES.index(99.9)]),
            Figure("p50_over_bare", ratios[0]),
            Figure("without_verdict", len(sparse.without_verdict)),
            Figure("cold_start_s", ready_s),
            Figure("cold_start_beside_loading_s", ready_s - loading_s),
        ],
    )


def _tail(ms: Sequence[float]) -> list[float]:
    return [percentile(ms, share) for share in PERCENTILES]


@dataclass(slots=True)
class _Sparse:
    """The two that take turns."""

    bare: BareProcess
    count: int
    bare_ms: list[float] = field(default_factory=list)
    without_verdict: set[int] = field(default_factory=set)
    _received_ns: dict[int, int] = field(default_factory=dict)
    _paused_until: float = 0.0
    _draw: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311 - gaps, no secret

    def listen(self) -> list[float]:
        """Run both. Returns ms from edge to subscriber of every trigger; the deadline for one without a verdict."""
        log = BracketStation(["--random-gaps", f"{GAP_MS:g}"], deadline_ms=DEADLINE_MS).listen(self._take)
        edges = {edge.trigger_number: edge.monotonic_ns for edge in log.edges}
        if unanswered := edges.keys() - self._received_ns.keys():
            raise RuntimeError(f"{len(unanswered)} triggers have no answer")
        return [
            DEADLINE_MS if number in self.without_verdict else (at_ns - edges[number]) / 1e6
            for number, at_ns in self._received_ns.items()
        ]

    def _take(self, message: Message, line: LineProcess) -> bool:
        if isinstance(message, Result) and message.trigger_number is not None:
            self._received_ns[message.trigger_number] = time.monotonic_ns()
            if message.result_state is not ResultState.COMPLETED:
                self.without_verdict.add(message.trigger_number)
        received = len(self._received_ns)
        if self._paused_until:
            if time.monotonic() < self._paused_until:
                return True
            self._paused_until = 0.0
            self._bare_block(received - len(self.bare_ms))
            if len(self.bare_ms) < self.count:
                line.go()
        elif received >= min(len(self.bare_ms) + BLOCK, self.count):
            line.pause()
            self._paused_until = time.monotonic() + QUIET_S
        return len(self.bare_ms) < self.count

    def _bare_block(self, frames: int) -> None:
        """As many frames as there were triggers, at gaps of the same kind."""
        self.bare.ask_at([self._draw.expovariate(1000.0 / GAP_MS) for _ in range(frames)])
        self.bare_ms += self.bare.collect()


# The cold start


def _cold_start() -> tuple[float, float]:
    """Seconds from the daemon's start until it says that it is ready; those of importing and loading, in a process alone."""
    words = [sys.executable, "-c", LOADING, str(RECIPE.parent)]
    loaded = subprocess.run(words, check=True, capture_output=True, text=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="datumd-bench-")))
        notified = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        notified.bind(str(folder / "notify"))
        notified.settimeout(START_LIMIT_S)
        station = BracketStation((), environment={"NOTIFY_SOCKET": str(folder / "notify")})
        line = stack.enter_context(station.line(folder))
        begun = time.monotonic()
        daemon = stack.enter_context(station.daemon(folder, line))
        try:
            while notified.recv(4096) != b"READY=1":
                pass
        except TimeoutError:
            raise RuntimeError(f"not ready after {START_LIMIT_S:g} s:\n{daemon.words()}") from None
        return time.monotonic() - begun, float(loaded.stdout)


if __name__ == "__main__":
    sys.exit(main("sparse", measure))
