"""What all bridges together take from the daemon: frames a second and latency without them, with them, and with them stopped."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from os import getpid

from benchmarks.bracket_station import listen_to_brackets
from benchmarks.bridges.station import all_bridges
from pipeline.client import Message
from pipeline.result import Result, ResultState
from pipeline.result_text import percentile

LEISURE_SHARE = 4


class With(StrEnum):
    """Which bridges run beside the daemon."""

    none = "no bridge"
    all = "all bridges"
    stopped = "all bridges, stopped (SIGSTOP)"


@dataclass(slots=True)
class Load:
    """Of all runs of one kind. `late`: parts that were answered at their deadline."""

    parts_per_s: list[float] = field(default_factory=list)
    answer_ms: list[float] = field(default_factory=list)
    answered: int = 0
    late: int = 0
    protocols: list[str] = field(default_factory=list)


def measure_share(rounds: int, overload_hz: float, leisure_hz: float, triggers: int) -> dict[With, Load]:
    """Without, with and stopped in turn, so that what else the machine does falls on all of them.

    Args:
        rounds: of each kind.
        overload_hz: more triggers a second than the daemon can inspect: it counts frames a second.
        leisure_hz: few enough that no part waits for another: from the frame to its answer.
        triggers: of each run under overload; a leisurely one has a fourth of them.
    """
    loads = {kind: Load() for kind in With}
    for _ in range(rounds):
        for kind, load in loads.items():
            _run(kind, load, overload_hz, triggers, _note_rate(load))
            _run(kind, load, leisure_hz, triggers // LEISURE_SHARE, _note_answer(load))
    return loads


def _run(kind: With, load: Load, rate_hz: float, triggers: int, note: Callable[[list[Result]], None]) -> None:
    results: list[Result] = []

    def take(message: Message) -> bool:
        if isinstance(message, Result):
            results.append(message)
        return len(results) < triggers

    with ExitStack() as stack:
        if kind is not With.none:
            bridges, load.protocols = stack.enter_context(all_bridges(f"bench-{getpid()}"))
            if kind is With.stopped:
                bridges.stop()
        listen_to_brackets(["--rate-hz", f"{rate_hz:.2f}", "--triggers", str(triggers)], take)
        if kind is not With.none and bridges.ended():
            raise RuntimeError(f"{bridges.ended()} bridges ended by themselves")
    note(results)


def _note_rate(load: Load) -> Callable[[list[Result]], None]:
    def note(results: list[Result]) -> None:
        times = [each.times["answered_monotonic_ns"] for each in results if each.result_state is ResultState.COMPLETED]
        load.parts_per_s.append((len(times) - 1) / ((times[-1] - times[0]) / 1e9))

    return note


def _note_answer(load: Load) -> Callable[[list[Result]], None]:
    def note(results: list[Result]) -> None:
        load.answered += len(results)
        load.late += sum(any(reason.code == "deadline" for reason in each.reasons) for each in results)
        load.answer_ms += [
            took / 1e6 for each in results if (took := each.times.get("received_to_answered_ns")) is not None
        ]

    return note


def p99(load: Load) -> float:
    """Of the time from the frame to its answer, ms."""
    return percentile(load.answer_ms, 99)
