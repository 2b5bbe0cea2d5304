from pipeline.sinks.opcua.shelf import ResultShelf
from pipeline.sinks.opcua.signals import Cause, Shown, Verdict
from tests.results import result


def shown(session: int, seq: int, job_id: str = "") -> Shown:
    made = result(session=session, seq=seq, result_id=f"{session}-{seq}")
    return Shown(made, job_id, Verdict.NONE, Cause.none)


def test_results_of_before_and_of_now_stand_in_order_once_and_the_oldest_go() -> None:
    shelf = ResultShelf(4)
    shelf.put(shown(1, 5, "mine"))
    assert shelf.since is None
    shelf.remember([shown(1, seq) for seq in range(2, 6)], (1, 1))
    assert shelf.since == (1, 1)
    found, complete = shelf.after((0, 0), lambda _: True, 10)
    assert [each.place for each in found] == [(1, 2), (1, 3), (1, 4), (1, 5)]
    assert complete
    assert [each.job_id for each in found] == ["", "", "", "mine"]
    shelf.put(shown(2, 1))
    assert shelf.by_id("1-2") is None
    assert shelf.since == (1, 2)  # what comes after it is all here
    assert (kept := shelf.by_id("2-1")) is not None
    assert kept.place == (2, 1)
    found, complete = shelf.after((1, 3), lambda each: each.job_id != "mine", 1)
    assert ([each.place for each in found], complete) == ([(1, 4)], False)


def test_what_was_missed_while_the_past_was_unknown_counts_when_it_is_known() -> None:
    shelf = ResultShelf(4)
    shelf.miss((1, 9))
    shelf.remember([shown(1, seq) for seq in range(5, 8)], (1, 4))
    assert shelf.since == (1, 9)
