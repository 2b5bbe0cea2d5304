"""The queue before the workers, and what becomes of it when one dies."""

from pipeline.ledger.actions import Abandon, Grant
from pipeline.ledger.book import Book
from pipeline.ledger.slots import SlotState
from pipeline.loss import LossKind
from tests.books import DEADLINE_NS, Line, answers, dispatches, info, settings


def test_a_closed_slot_that_is_still_read_is_not_granted() -> None:
    book = Book(settings(slots=3))
    line = Line(book)
    line.ready("top")
    book.worker_ready("infer.0", 0)
    (order,) = dispatches(line.frame("top", 1))
    late = book.tick(DEADLINE_NS)
    assert answers(late) == [(1, LossKind.deadline)]
    assert not any(isinstance(action, Grant) for action in late)
    assert any(isinstance(action, Grant) for action in book.released(order.frame.slot, order.frame.generation))


def test_views_of_one_trigger_go_to_one_worker_and_the_last_completes() -> None:
    book = Book(settings(views={"a": "top", "b": "side"}))
    line = Line(book)
    line.ready("a")
    line.ready("b")
    book.worker_ready("infer.0", 0)
    book.worker_ready("infer.1", 0)
    (first,) = dispatches(line.frame("a", 1))
    line.frame("a", 2)
    (second,) = dispatches(line.frame("b", 1))
    assert first.part == second.part
    assert first.worker == second.worker
    assert (first.complete, second.complete) == (False, True)


def test_a_full_queue_answers_the_oldest_or_the_latest() -> None:
    for policy, victim in (("drop_oldest", 1), ("drop_latest", 3)):
        book = Book(settings(policy=policy))
        line = Line(book)
        line.ready("top")
        lost = [answer for number in (1, 2, 3) for answer in answers(line.frame("top", number))]
        assert lost == [(victim, LossKind.overrun)]


def test_a_source_that_can_wait_is_not_granted_more_than_the_queue_takes() -> None:
    book = Book(settings(policy="wait"))
    line = Line(book)
    line.ready("top")
    frames = 0
    while line.grants["top"]:
        frames += 1
        assert answers(line.frame("top", None)) == []
    assert frames == 2
    assert book.open_parts() == 2


def test_slots_of_a_grab_worker_that_died_come_back_under_a_new_generation() -> None:
    book = Book(settings(slots=3))
    line = Line(book)
    line.ready("top")
    stale = line.grants["top"][0]
    line.ready("top")
    assert len(line.grants["top"]) == 3
    assert book.accepted("top", stale.slot, stale.generation, info(1), 0) == []
    assert book.open_parts() == 0


def test_a_part_that_two_workers_died_of_is_answered() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.worker_ready("infer.0", 0)
    line.frame("top", 1)
    assert answers(book.worker_ready("infer.0", 10)) == []
    assert answers(book.worker_ready("infer.0", 20)) == [(1, LossKind.worker_died)]
    assert book.open_parts() == 0


def test_a_frame_that_an_earlier_worker_may_still_read_waits_for_that_worker() -> None:
    states = [SlotState(1, "top", "infer.0", info(1)), *[SlotState(0)] * 11]
    book = Book(settings(), states)
    assert dispatches(book.recovered(0)) == []
    assert dispatches(book.worker_ready("infer.1", 0)) == []
    assert dispatches(book.worker_ready("infer.0", 0)) != []


def test_a_part_keeps_the_recipe_that_was_selected_when_it_came() -> None:
    book = Book(settings(views={"a": "top", "b": "side"}))
    line = Line(book)
    line.ready("a")
    line.ready("b")
    book.worker_ready("infer.0", 0)
    book.recipe = 4
    (first,) = dispatches(line.frame("a", 1))
    book.recipe = 5
    (second,) = dispatches(line.frame("b", 1))
    (third,) = dispatches(line.frame("a", 2))
    assert (first.recipe, second.recipe, third.recipe) == (4, 4, 5)


def test_a_release_of_a_worker_that_died_frees_nothing_that_another_reads() -> None:
    book = Book(settings(slots=3))
    line = Line(book)
    line.ready("top")
    book.worker_ready("infer.0", 0)
    book.worker_ready("infer.1", 0)
    (first,) = dispatches(line.frame("top", 1))
    (second,) = dispatches(book.worker_died(first.worker, 1))
    assert second.worker != first.worker
    book.tick(DEADLINE_NS)
    assert book.released(*first.frame.key, first.worker) == []
    assert book.released(*first.frame.key, second.worker) != []


def test_a_part_of_a_dead_worker_is_complete_again_only_with_its_last_view() -> None:
    book = Book(settings(views={"a": "top", "b": "side"}))
    line = Line(book)
    line.ready("a")
    line.ready("b")
    book.worker_ready("infer.0", 0)
    first = dispatches(line.frame("a", 1)) + dispatches(line.frame("b", 1))
    again = dispatches(book.worker_ready("infer.0", 1))
    assert [order.complete for order in first + again] == [False, True, False, True]


def test_frames_that_an_earlier_ledger_took_in_are_not_too_many() -> None:
    states = [SlotState(1, "top", None, info(number, number)) for number in range(1, 6)] + [SlotState(1, "top")] * 7
    book = Book(settings(queue_depth=1), states)
    book.recovered(6)
    assert answers(book.accepted("top", 5, 1, info(6, 6), 6)) == []
    assert answers(book.accepted("top", 6, 1, info(7, 7), 7)) == [(6, LossKind.overrun)]


def test_a_worker_that_has_not_answered_yet_is_given_no_more_than_it_takes() -> None:
    book = Book(settings(queue_depth=9))
    line = Line(book)
    line.ready("top")
    book.worker_ready("infer.0", 0)
    orders = [order for number in (1, 2) for order in dispatches(line.frame("top", number))]
    assert answers(book.tick(DEADLINE_NS)) == [(1, LossKind.deadline), (2, LossKind.deadline)]
    assert dispatches(line.frame("top", 3, DEADLINE_NS)) == []
    assert len(dispatches(book.inspected("infer.0", [orders[0].frame.key], False, DEADLINE_NS))) == 1


def test_who_has_answered_is_not_told_to_abandon() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.worker_ready("infer.0", 0)
    for number, worker in ((1, "infer.0"), (2, "infer.9")):
        (order,) = dispatches(line.frame("top", number))
        told = [one for one in book.inspected(worker, [order.frame.key], False, 1) if isinstance(one, Abandon)]
        assert told == ([] if worker == order.worker else [Abandon("infer.0", order.part)])


def test_an_answer_for_other_frames_than_a_part_has_is_no_answer_of_it() -> None:
    book = Book(settings(views={"a": "top", "b": "side"}))
    line = Line(book)
    line.ready("a")
    line.ready("b")
    book.worker_ready("infer.0", 0)
    (first,) = dispatches(line.frame("a", 1))
    assert answers(book.inspected("infer.0", [first.frame.key], False, 1)) == []  # not all views
    (second,) = dispatches(line.frame("b", 1))
    for wrong in ([first.frame.key], [first.frame.key, (11, 7)], [first.frame.key, second.frame.key, (11, 7)]):
        assert answers(book.inspected("infer.0", wrong, False, 1)) == []
    assert book.late_results == 4
    assert answers(book.inspected("infer.0", [second.frame.key, first.frame.key], False, 2)) == [(1, None)]


def test_a_stopped_trigger_is_not_inspected() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.worker_ready("infer.0", 0)
    book.set_running(False, 0)
    actions = line.frame("top", 1)
    assert (answers(actions), dispatches(actions)) == ([(1, LossKind.stopped)], [])
