"""What all bridges together take from the daemon: frames a second and latency without them, with them, and with them stopped.

The daemon runs the bridges by its station file, as a station's does: they are in its session, so that their lower priority
counts against it. (Linux shares the processors among sessions first, so that bridges of another terminal would have as much as
the whole daemon, whatever they are niced to.) Only the ones that are stopped are run by hand: the daemon would start them again.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from os import getpid
from pathlib import Path

from benchmarks.bracket_station import RESULTS, SILENCE_S, BracketStation
from benchmarks.bridges.station import all_bridges, bridged_table, broker, wait_until_bridged
from pipeline.client import Subscription
from pipeline.result import Result, ResultState
from pipeline.result_text import percentile
from simulator.child import DaemonProcess

REST_S = 1.0  # from the start of everything to the first part


class With(StrEnum):
    """Which bridges run beside the daemon."""

    none = "no bridge"
    all = "all bridges"
    stopped = "all bridges, stopped (SIGSTOP)"


@dataclass(slots=True)
class Load:
    """Of all runs of one kind. `late`: parts that were answered at their deadline."""

    parts_per_s: dict[float, list[float]] = field(default_factory=dict)
    answer_ms: list[float] = field(default_factory=list)
    answered: int = 0
    late: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """How the share is measured: in rounds, all kinds in turn, so that what else the machine does falls on each of them.

    Attributes:
        rates_hz: triggers a second, more than the daemon can inspect: it counts frames a second. The first with most rounds.
        rounds: of each of them.
        leisure_hz: few enough that no part waits for another: from the frame to its answer.
        run_s: how long each run lasts; a leisurely one three times as long.
    """

    rates_hz: tuple[float, ...]
    rounds: tuple[int, ...]
    leisure_hz: float
    leisure_rounds: int
    run_s: float


def measure_share(plan: Plan) -> dict[With, Load]:
    """Frames a second of `none` and `all`, and the latency of each kind."""
    loads = {kind: Load() for kind in With}
    for rate_hz, rounds in zip(plan.rates_hz, plan.rounds, strict=True):
        for number in range(rounds):
            for kind in (With.none, With.all) if number % 2 else (With.all, With.none):
                _run(kind, rate_hz, plan.run_s, _note_rate(loads[kind], rate_hz))
    for _ in range(plan.leisure_rounds):
        for kind in With:
            _run(kind, plan.leisure_hz, 3 * plan.run_s, _note_answer(loads[kind]))
    return loads


def rate_ratio(loads: dict[With, Load], rate_hz: float) -> float:
    """Frames a second with all bridges over without: the median of the rounds' own ratios, as the machine's speed wanders."""
    pairs = zip(loads[With.all].parts_per_s[rate_hz], loads[With.none].parts_per_s[rate_hz], strict=True)
    return statistics.median(bridged / bare for bridged, bare in pairs)


def p99(load: Load) -> float:
    """Of the time from the frame to its answer, ms."""
    return percentile(load.answer_ms, 99)


def _run(kind: With, rate_hz: float, run_s: float, note: Callable[[list[Result]], None]) -> None:
    triggers = int(rate_hz * run_s)
    options = ["--rate-hz", f"{rate_hz:.2f}", "--triggers", str(triggers)]
    station = BracketStation(options, tables=bridged_table() if kind is With.all else "")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="datumd-bench-")))
        stack.enter_context(broker())
        if kind is With.stopped:
            bridges = stack.enter_context(all_bridges(f"bench-{getpid()}"))
            bridges.stop()
        subscription = stack.enter_context(Subscription(f"tcp://{RESULTS}"))
        line = stack.enter_context(station.line(folder))
        daemon = stack.enter_context(station.daemon(folder, line))
        daemon.wait_until_ready(subscription)
        if kind is With.all:
            wait_until_bridged(subscription)
        time.sleep(REST_S)
        line.go()
        results = _results(subscription, triggers, daemon)
        if kind is With.stopped and bridges.ended():
            raise RuntimeError(f"{bridges.ended()} bridges ended by themselves")
        if kind is With.all:
            wait_until_bridged(subscription)
    note(results)


def _results(subscription: Subscription, count: int, daemon: DaemonProcess) -> list[Result]:
    results: list[Result] = []
    while len(results) < count:
        message = subscription.receive(SILENCE_S)
        if message is None:
            raise RuntimeError(f"nothing heard for {SILENCE_S:g} s:\n{daemon.words()}")
        if isinstance(message, Result):
            results.append(message)
    return results


def _note_rate(load: Load, rate_hz: float) -> Callable[[list[Result]], None]:
    def note(results: list[Result]) -> None:
        times = [each.times["answered_monotonic_ns"] for each in results if each.result_state is ResultState.COMPLETED]
        load.parts_per_s.setdefault(rate_hz, []).append((len(times) - 1) / ((times[-1] - times[0]) / 1e9))

    return note


def _note_answer(load: Load) -> Callable[[list[Result]], None]:
    def note(results: list[Result]) -> None:
        load.answered += len(results)
        load.late += sum(any(reason.code == "deadline" for reason in each.reasons) for each in results)
        load.answer_ms += [
            took / 1e6 for each in results if (took := each.times.get("received_to_answered_ns")) is not None
        ]

    return note
