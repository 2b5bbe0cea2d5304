import math

import pytest

from benchmarks.chaos.answers import Answer
from benchmarks.chaos.killer import How, Strike
from benchmarks.chaos.recovery import recoveries
from benchmarks.chaos.subscriber import Got
from simulator.line_log import LoggedEdge

MS = 1_000_000
START = 10_000 * MS
# A trigger every 10 ms for two seconds; each is answered 2 ms later, with a verdict.
EDGES = [LoggedEdge(n, START + n * 10 * MS, f"part-{n}", (), {}, None, {}) for n in range(200)]


def answer(number: int, after_ms: float, *, is_verdict: bool = True) -> Answer:
    at_ns = START + number * 10 * MS + int(after_ms * MS)
    return Answer(1, number + 1, number, True, "", is_verdict, "OK", 1, frozenset(), {}, at_ns)


def strike(at_ms: float, target: str = "ledger", how: How = How.KILL) -> Strike:
    return Strike(START + int(at_ms * MS), target, how, 1)


def test_time_runs_from_the_kill_to_the_first_answer_of_a_trigger_after_it() -> None:
    # Killed at 505 ms: triggers 50 to 69 are answered at 700 ms, with losses; from 70 on all is as before.
    answers = [answer(n, 2) for n in range(50)] + [answer(n, 700 - n * 10, is_verdict=False) for n in range(50, 70)]
    answers += [answer(n, 2) for n in range(70, 200)]
    (found,) = recoveries([strike(505)], EDGES, answers, [])
    assert (found.target, found.count, found.alone) == ("ledger", 1, 1)
    assert found.answer_p50_ms == found.answer_max_ms == pytest.approx(195)
    assert found.verdict_p50_ms == found.verdict_max_ms == pytest.approx(197)


def test_kills_that_meet_others_count_for_the_last_column_alone() -> None:
    answers = [answer(n, 2) for n in range(200)]
    found = {one.target: one for one in recoveries([strike(500), strike(501, "grab.top")], EDGES, answers, [])}
    assert [one.alone for one in found.values()] == [0, 0]
    assert math.isnan(found["ledger"].answer_max_ms)
    assert found["grab"].any_answer_max_ms == pytest.approx(11)


def test_a_subscriber_has_recovered_when_it_gets_a_result() -> None:
    records = [Got(1, n + 1, n, START + (1000 if 50 <= n < 100 else n * 10 + 3) * MS, 5) for n in range(200)]
    answers = [answer(n, 2) for n in range(200)]
    (found,) = recoveries([strike(505, "subscriber")], EDGES, answers, records)
    assert found.answer_max_ms == pytest.approx(495)
    assert found.verdict_max_ms == pytest.approx(7)
