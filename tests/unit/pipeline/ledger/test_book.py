"""The book: every part answered exactly once, and slots that nobody can touch twice."""

from pipeline.ledger.account import Account
from pipeline.ledger.actions import Close, Grant
from pipeline.ledger.book import Book
from pipeline.ledger.slots import SlotState
from pipeline.loss import LossKind
from tests.books import DEADLINE_NS, Line, answers, dispatches, drained, info, settings


def test_a_frame_is_dispatched_answered_and_its_slot_granted_again() -> None:
    book = Book(settings(slots=3))
    line = Line(book)
    assert len(line.ready("top")) == 3
    book.connected("top", 0, 0)
    book.worker_ready("infer.0", 0)
    (order,) = dispatches(line.frame("top", 1))
    assert order.complete
    actions = book.inspected("infer.0", [order.frame.key], False, 5)
    assert answers(actions) == [(1, None)]
    assert Close(order.frame.slot, order.frame.generation) in actions
    (grant,) = book.released(order.frame.slot, order.frame.generation)
    assert grant == Grant("top", order.frame.slot, order.frame.generation + 1)
    assert book.open_parts() == 0


def test_a_book_newer_than_its_ring_grants_new_generations_only() -> None:
    book = Book(settings(slots=3), [SlotState(generation) for generation in (5, 0, 9)])
    grants = [action for action in book.camera_ready("top") if isinstance(action, Grant)]
    assert [(grant.slot, grant.generation) for grant in grants] == [(0, 6), (1, 1), (2, 10)]


def test_nothing_is_granted_to_a_camera_while_the_ring_is_scanned_for_its_frames() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    grant = line.grants["top"][0]
    book.camera_gone("top")
    actions = book.accepted("top", grant.slot, grant.generation, info(1), 0)
    assert not any(isinstance(action, Grant) for action in actions)
    assert len(line.ready("top")) == 3


def test_a_frame_that_a_new_ledger_finds_after_a_later_one_is_not_lost() -> None:
    states = [SlotState(1, "top", None, info(3, 30)), SlotState(1, "top"), *[SlotState(0)] * 10]
    book = Book(settings(), states, {"": Account(through=1, delivered={"top": 1})})
    assert answers(book.recovered(40)) == []
    assert answers(book.accepted("top", 1, 1, info(2, 20), 40)) == []
    assert answers(book.camera_ready("top")) == []
    assert book.open_parts() == 2


def test_a_late_result_is_counted_and_answers_nothing() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.worker_ready("infer.0", 0)
    (order,) = dispatches(line.frame("top", 1))
    book.tick(DEADLINE_NS)
    assert answers(book.inspected("infer.0", [order.frame.key], False, DEADLINE_NS + 1)) == []
    assert book.late_results == 1


def test_a_new_book_answers_what_the_ring_and_the_account_say_is_open() -> None:
    old = Book(settings(queue_depth=9))
    line = Line(old)
    line.ready("top")
    old.connected("top", 0, 0)
    old.worker_ready("infer.0", 0)
    frames = [dispatches(line.frame("top", number, number))[0].frame for number in (1, 2)]
    old.counted("top", 4, 5)
    old.inspected("infer.0", [frames[1].key], False, 6)
    states = [SlotState(1, "top", None, info(1, 1), 3)] + [SlotState(1, "top")] * 3 + [SlotState(0)] * 8
    new = Book(old.settings, states, old.accounts())
    assert answers(new.recovered(10)) == []
    assert new.open_parts() == 3
    assert new.next_deadline_ns() == 1 + DEADLINE_NS
    (order,) = dispatches(new.worker_ready("infer.0", 11))
    assert (order.frame.key, order.recipe) == ((0, 1), 3)
    assert answers(new.inspected("infer.9", [(0, 1)], False, 12)) == [(1, None)]
    assert drained(new, 10 + DEADLINE_NS) == [(3, LossKind.lost_transport), (4, LossKind.lost_transport)]
