"""How long it takes after a kill until answers come again."""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.chaos.answers import Answer
from benchmarks.chaos.killer import How, Strike
from benchmarks.chaos.subscriber import Got, Record
from pipeline.result_text import percentile
from simulator.line_log import LoggedEdge

QUIET_NS = 5_000_000_000  # before a strike, for what was struck earlier to be over


@dataclass(frozen=True, slots=True)
class Recovery:
    """After the strikes of one kind, in ms: to the first answer, and to the first verdict, for a trigger after the strike.

    An answer may tell a loss; a verdict is one that both views were inspected for. For a subscriber it is the first answer
    that it got. NaN where no such trigger came any more.

    Attributes:
        count: strikes of this kind.
        alone: those of them without another strike in the five seconds before, or before the first verdict after it.
        answer_p50_ms, answer_max_ms, verdict_p50_ms, verdict_max_ms: after those that were alone.
        any_answer_max_ms: after all of them.
    """

    target: str
    how: How
    count: int
    alone: int
    answer_p50_ms: float
    answer_max_ms: float
    verdict_p50_ms: float
    verdict_max_ms: float
    any_answer_max_ms: float


class _Firsts:
    """For a moment: when the first answer was given of all those for triggers after it."""

    def __init__(self, pairs: Sequence[tuple[int, int]]) -> None:
        """`pairs` of trigger and answer, both monotonic ns."""
        ordered = sorted(pairs)
        self._edges_ns = [edge_ns for edge_ns, _ in ordered]
        self._firsts_ns = [answered_ns for _, answered_ns in ordered]
        for index in range(len(ordered) - 2, -1, -1):
            self._firsts_ns[index] = min(self._firsts_ns[index], self._firsts_ns[index + 1])

    def after_ms(self, moment_ns: int) -> float:
        index = bisect.bisect_right(self._edges_ns, moment_ns)
        return (self._firsts_ns[index] - moment_ns) / 1e6 if index < len(self._firsts_ns) else math.nan


def recoveries(
    strikes: Sequence[Strike], edges: Sequence[LoggedEdge], answers: Sequence[Answer], records: Sequence[Record]
) -> list[Recovery]:
    """One for each kind of process and each thing that was done to it."""
    made_ns = {edge.trigger_number: edge.monotonic_ns for edge in edges}
    known = [answer for answer in answers if answer.trigger in made_ns]
    any_answer = _Firsts([(made_ns[answer.trigger or 0], answer.answered_ns) for answer in known])
    verdict = _Firsts([(made_ns[answer.trigger or 0], answer.answered_ns) for answer in known if answer.is_verdict])
    received = _Firsts(
        [(made_ns[got.trigger or 0], got.at_ns) for got in records if isinstance(got, Got) and got.trigger in made_ns]
    )
    found = []
    for target, how in sorted({(_kind(strike), strike.how) for strike in strikes}):
        mine = [strike for strike in strikes if _kind(strike) == target and strike.how is how]
        first = received if target == "subscriber" else any_answer
        alone = [strike.at_ns for strike in mine if _is_alone(strike, strikes, verdict.after_ms(strike.at_ns))]
        to_answer = _known([first.after_ms(moment) for moment in alone])
        to_verdict = _known([verdict.after_ms(moment) for moment in alone])
        found.append(
            Recovery(
                target=target,
                how=how,
                count=len(mine),
                alone=len(alone),
                answer_p50_ms=percentile(to_answer, 50),
                answer_max_ms=max(to_answer),
                verdict_p50_ms=percentile(to_verdict, 50),
                verdict_max_ms=max(to_verdict),
                any_answer_max_ms=max(_known([first.after_ms(strike.at_ns) for strike in mine])),
            )
        )
    return found


def _kind(strike: Strike) -> str:
    return strike.target.partition(".")[0]


def _is_alone(strike: Strike, strikes: Sequence[Strike], verdict_ms: float) -> bool:
    if math.isnan(verdict_ms):
        return False
    first_ns, last_ns = strike.at_ns - QUIET_NS, strike.at_ns + verdict_ms * 1e6
    return not any(first_ns <= other.at_ns <= last_ns for other in strikes if other is not strike)


def _known(values: list[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)] or [math.nan]
