"""What the page costs the inspection while three browsers look, and how soon it shows a camera that was killed.

Frames a second are those of an overloaded line, p99 from frame to answer that of one at half load.
"""

import os
import random
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.bare import POOL, RECIPE, BareProcess
from benchmarks.killed_camera import killed
from benchmarks.onlookers import Onlookers
from benchmarks.others import Others
from benchmarks.report import Figure, Measured, main
from pipeline.client import Subscription
from pipeline.recipe import load_recipe
from pipeline.result import Result, ResultState
from pipeline.result_text import percentile
from simulator.child import DaemonProcess, LineProcess
from simulator.demo import GENICAM, STATION
from simulator.producer import cti_path

BROWSERS = 3
HALF, OVERLOAD = 0.5, 3.0  # triggers a second over frames a second of the bare loop
SETTLE_S = 1.0
MOST_OTHERS = 0.06  # of a processor; a pair in which others had more is left out
RESAMPLED = 500


@dataclass(frozen=True, slots=True)
class Slice:
    """What was heard for a while."""

    seconds: float
    took_ms: list[float]  # of the parts with a verdict
    others: float = 0.0  # processors that others had meanwhile
    pictures: int = 0


Pairs = Sequence[tuple[Slice, Slice]]  # without and with browsers


def measure(quick: bool) -> Measured:
    """Measure slices with and without browsers in turn, of the same daemon; then kill its camera's process again and again."""
    half, overload, kills, seconds = (4, 2, 3, 5.0) if quick else (24, 8, 20, 10.0)
    with BareProcess() as bare:
        bare.ask(100)
        rate_hz = 1000.0 / percentile(bare.collect(), 50)
    rows: list[tuple[str | float, ...]] = []
    figures: list[Figure] = []
    for line, load, count in (("half load", HALF, half), ("overload", OVERLOAD, overload)):
        pairs = undisturbed(in_turn(rate_hz * load, count, seconds))
        rows += [
            _row(line, page, slices) for page, slices in zip(("none", "open"), zip(*pairs, strict=True), strict=True)
        ]
        figures += _figures(line.replace(" ", "_"), pairs)
    with page_station(rate_hz * HALF) as (_, page):
        shown = killed(page, kills)
    figures += [
        Figure("killed_camera_shown_most_s", max(one.told_s for one in shown)),
        Figure("killed_camera_shown_p50_s", statistics.median(one.told_s for one in shown)),
        Figure("killed_camera_recovered_most_s", max(one.recovered_s for one in shown)),
    ]
    return Measured(
        title=f"bracket, one camera, {os.cpu_count()} cores; slices of {seconds:g} s without the page and with it open in "
        f"{BROWSERS} browsers, in turn; such a browser asks for all that one asks for, and draws nothing; then {kills} kills of "
        "the camera's process",
        columns=["line", "page", "slices", "parts", "verdicts/s", "p50 ms", "p99 ms", "pictures/s a browser"],
        rows=rows,
        figures=figures,
    )


def _row(line: str, page: str, slices: Sequence[Slice]) -> tuple[str | float, ...]:
    took = _took(slices)
    pictures = sum(one.pictures / (one.seconds + SETTLE_S) for one in slices) / len(slices) / BROWSERS
    return (
        line,
        page,
        str(len(slices)),
        str(len(took)),
        _rate(slices),
        percentile(took, 50),
        percentile(took, 99),
        pictures,
    )


def _figures(line: str, pairs: Pairs) -> list[Figure]:
    """Each ratio, and by how much chance moves it."""
    found = []
    for name, ratio in (("rate", rate_ratio), ("p99", p99_ratio)):
        found.append(Figure(f"{line}_{name}_ratio", ratio(pairs)))
        found.append(Figure(f"{line}_{name}_ratio_sigma", by_chance(pairs, ratio)))
    return found


def undisturbed(pairs: Pairs) -> Pairs:
    """The pairs during which nobody else worked on the machine; all of them where that leaves fewer than two."""
    kept = [pair for pair in pairs if all(one.others <= MOST_OTHERS for one in pair)]
    if len(kept) < len(pairs):
        text = "they are left out" if len(kept) > 1 else "so all count, and tell little"
        print(f"others worked during {len(pairs) - len(kept)} of {len(pairs)} pairs of slices: {text}", file=sys.stderr)
    return kept if len(kept) > 1 else pairs


def rate_ratio(pairs: Pairs) -> float:
    """Verdicts a second with browsers over those without."""
    without, watched = (_rate(slices) for slices in zip(*pairs, strict=True))
    return watched / without


def p99_ratio(pairs: Pairs) -> float:
    """p99 from frame to answer with browsers over that without, all slices together."""
    without, watched = (percentile(_took(slices), 99) for slices in zip(*pairs, strict=True))
    return watched / without


def by_chance(pairs: Pairs, ratio: Callable[[Pairs], float]) -> float:
    """Standard deviation of a ratio between drawings of as many pairs out of these (bootstrap)."""
    chance = random.Random(0)  # noqa: S311 - nothing secret
    return statistics.stdev(ratio(chance.choices(pairs, k=len(pairs))) for _ in range(RESAMPLED))


def _took(slices: Sequence[Slice]) -> list[float]:
    return [took for one in slices for took in one.took_ms]


def _rate(slices: Sequence[Slice]) -> float:
    return len(_took(slices)) / sum(one.seconds for one in slices)


def in_turn(rate_hz: float, slices: int, seconds: float) -> list[tuple[Slice, Slice]]:
    """Slices without and with browsers, in turn, of one daemon."""
    pairs = []
    with page_station(rate_hz) as (heard, page), Onlookers(page, BROWSERS) as browsers:
        for _ in range(slices):
            _hear(heard, SETTLE_S)
            without = _hear(heard, seconds)
            browsers.look()
            _hear(heard, SETTLE_S)
            watched = _hear(heard, seconds)
            pairs.append((without, replace(watched, pictures=browsers.rest())))
    return pairs


def _hear(subscription: Subscription, seconds: float) -> Slice:
    begun, others = time.monotonic(), Others()
    took_ms = []
    while time.monotonic() - begun < seconds:
        message = subscription.receive(0.05)
        if isinstance(message, Result) and message.result_state is ResultState.COMPLETED:
            took_ms.append(message.times["received_to_answered_ns"] / 1e6)
    return Slice(time.monotonic() - begun, took_ms, others.share())


@contextmanager
def page_station(rate_hz: float) -> Iterator[tuple[Subscription, str]]:
    """The example bracket at so many triggers a second: its results, and HOST:PORT of its page."""
    with tempfile.TemporaryDirectory(prefix="datumd-page-") as name, ExitStack() as stack:
        folder = Path(name)
        results, metrics, control, web = (f"127.0.0.1:{_free_port()}" for _ in range(4))
        line = LineProcess(folder, ["--pool", str(POOL), "--rate-hz", f"{rate_hz:.2f}"])
        stack.callback(line.close)
        text = STATION.format(
            station=f"page-{os.getpid()}", recipes=RECIPE.parent, recipe=load_recipe(RECIPE).number, deadline_ms=2000.0,
            results=results, metrics=metrics, camera=GENICAM.format(producer=cti_path()),
        )  # fmt: skip
        path = folder / "station.toml"
        path.write_text(f'{text}\n[control]\nbind = "tcp://{control}"\n[web]\nbind = "{web}"\n')
        daemon = DaemonProcess(path, line.environment)
        stack.callback(daemon.close)
        subscription = stack.enter_context(Subscription(f"tcp://{results}", replay=False))
        daemon.wait_until_ready(subscription)
        line.go()
        yield subscription, web


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main("page", measure))
