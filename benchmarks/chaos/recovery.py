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


@dataclass(frozen=True, slots=True)
class Recovery:
    """After the strikes of one kind, in ms: to the first answer, and to the first verdict, for a trigger after the strike.

    An answer may tell a loss; a verdict is one that both views were inspected for. For a subscriber it is the first answer
    that it got. NaN where no such trigger came any more.
    """

    target: str
    how: How
    count: int
    answer_p50_ms: float
    answer_max_ms: float
    verdict_p50_ms: float
    verdict_max_ms: float


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
    for target, how in sorted({(strike.target.partition(".")[0], strike.how) for strike in strikes}):
        moments = [s.at_ns for s in strikes if s.target.partition(".")[0] == target and s.how is how]
        first = received if target == "subscriber" else any_answer
        to_answer = _known([first.after_ms(moment) for moment in moments])
        to_verdict = _known([verdict.after_ms(moment) for moment in moments])
        found.append(
            Recovery(
                target,
                how,
                len(moments),
                percentile(to_answer, 50),
                max(to_answer),
                percentile(to_verdict, 50),
                max(to_verdict),
            )
        )
    return found


def _known(values: list[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)] or [math.nan]
