"""How parts end: each is answered once, and what it held is free or kept for the copier."""

from pipeline.ledger.actions import Close, Copy, Grant, ImageLost
from pipeline.ledger.book import Book
from pipeline.loss import LossKind
from tests.books import DEADLINE_NS, Line, answers, dispatches, held, settings


def test_what_a_dead_worker_held_goes_to_the_next_one() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.worker_ready("infer.0", 0)
    (first,) = dispatches(line.frame("top", 1))
    again = dispatches(book.worker_ready("infer.0", 10))
    assert [(order.part, order.frame.slot) for order in again] == [(first.part, first.frame.slot)]
    assert answers(book.inspected("infer.0", [first.frame.key], False, 20)) == [(1, None)]


def test_what_is_owed_when_the_daemon_ends_is_answered() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.connected("top", 0, 0)
    line.frame("top", 1)
    book.counted("top", 2, 0)
    assert answers(book.stopping()) == [(1, LossKind.daemon_restarted), (2, LossKind.daemon_restarted)]
    assert book.open_parts() == 0


def test_a_frame_worth_keeping_is_held_until_it_is_copied() -> None:
    book = Book(settings(slots=3))
    line = Line(book)
    line.ready("top")
    book.copier(True)
    book.worker_ready("infer.0", 0)
    (order,) = dispatches(line.frame("top", 1))
    actions = book.inspected("infer.0", [order.frame.key], True, 1)
    (copy,) = held(actions)
    assert isinstance(copy, Copy)
    assert actions.index(copy) > actions.index(Close(*order.frame.key))
    line.frame("top", 2)
    assert not any(isinstance(action, Grant) for action in book.copied(5, 1))
    book.tick(2)
    (lost, grant) = book.released(*order.frame.key)  # a camera wants a slot, and only this one can be had
    assert isinstance(lost, ImageLost)
    assert grant == Grant("top", order.frame.slot, 2)


def test_a_copier_that_is_slow_or_gone_costs_the_image_alone() -> None:
    for is_slow in (True, False):
        book = Book(settings(slots=12, hold_ns=10))
        line = Line(book)
        line.ready("top")
        book.copier(True)
        book.worker_ready("infer.0", 0)
        (order,) = dispatches(line.frame("top", 1))
        assert len(held(book.inspected("infer.0", [order.frame.key], True, 1))) == 1
        assert book.next_deadline_ns() == 11
        assert held(book.tick(11) if is_slow else book.copier(False)) == [ImageLost(order.frame)]
        assert book.next_deadline_ns() is None


def test_without_a_copier_nothing_is_held() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    line.frame("top", 1)
    assert [type(action) for action in held(book.tick(DEADLINE_NS))] == [ImageLost]


def test_what_is_not_worth_keeping_is_not_held() -> None:
    book = Book(settings(queue_depth=1))
    line = Line(book)
    line.ready("top")
    book.copier(True)
    line.frame("top", 1)
    actions = line.frame("top", 2)
    assert (answers(actions), held(actions)) == ([(1, LossKind.overrun)], [])
    (order,) = dispatches(book.worker_ready("infer.0", 0))
    assert held(book.inspected("infer.0", [order.frame.key], False, 1)) == []
    book.set_running(False, 2)
    assert held(line.frame("top", 3)) == []


def test_slots_that_were_held_are_granted_again_once_copied_or_given_up() -> None:
    book = Book(settings(slots=6, hold_ns=10))
    line = Line(book)
    line.ready("top")
    book.copier(True)
    book.worker_ready("infer.0", 0)
    for number in range(1, 40):
        (order,) = dispatches(line.frame("top", number, number * 20))
        line.note(book.released(*order.frame.key))
        line.note(book.inspected("infer.0", [order.frame.key], True, number * 20))
        line.note(book.copied(*order.frame.key) if number % 2 else book.tick(number * 20 + 11))
        assert len(line.grants["top"]) == 3
