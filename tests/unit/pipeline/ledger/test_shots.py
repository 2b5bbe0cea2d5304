"""Software triggers: each is answered once, with the number that all cameras gave it, or without one."""

from pipeline.ledger.actions import Action, Answer, Fire
from pipeline.ledger.book import Book
from pipeline.loss import LossKind
from tests.books import DEADLINE_NS, Line, answers, dispatches, settings


def station(cameras: str = "a", **changes: object) -> tuple[Book, Line]:
    book = Book(settings(views={camera: f"view {camera}" for camera in cameras}, slots=30, **changes))
    line = Line(book)
    for camera in cameras:
        line.ready(camera)
        book.connected(camera, 0, 0)
    book.worker_ready("infer.0", 0)
    return book, line


def fires(actions: list[Action]) -> list[Fire]:
    return [action for action in actions if isinstance(action, Fire)]


def part_ids(actions: list[Action]) -> list[tuple[int | None, int | None, str]]:
    parts = [action.part for action in actions if isinstance(action, Answer)]
    return [(part.trigger_number, part.software, part.part_id) for part in parts]


def test_a_software_trigger_gets_the_number_of_the_camera_and_keeps_its_part_id() -> None:
    book, line = station()
    assert fires(book.fire(7, "S7", 0)) == [Fire(7, "a")]
    book.fired("a", 7, 1, 1)
    (order,) = dispatches(line.frame("a", 1, 2))
    actions = book.inspected("infer.0", [order.frame.key], False, 3)
    assert part_ids(actions) == [(1, 7, "S7")]
    assert (book.triggers, book.open_parts()) == (1, 0)


def test_one_is_under_way_at_a_time_and_keeps_its_ticket_meanwhile() -> None:
    book, _ = station()
    assert fires(book.fire(1, "", 0, "t1")) == [Fire(1, "a", "t1")]
    assert fires(book.fire(2, "", 0, "t2")) == []
    assert fires(book.fired("a", 1, 1, 5)) == [Fire(2, "a", "t2")]


def test_a_trigger_that_is_not_taken_uses_no_number_up() -> None:
    book, line = station()
    book.fire(1, "S1", 0)
    actions = book.fired("a", 1, None, 1)
    assert (answers(actions), part_ids(actions)) == ([(None, LossKind.not_triggered)], [(None, 1, "S1")])
    assert answers(line.frame("a", 1, 2)) == []


def test_a_camera_that_never_says_how_it_went_is_waited_for_until_the_deadline() -> None:
    book, _ = station()
    book.fire(1, "S1", 0)
    book.fire(2, "S2", 0)
    assert book.next_deadline_ns() == DEADLINE_NS
    actions = book.tick(DEADLINE_NS)
    assert answers(actions) == [(None, LossKind.not_triggered)]
    assert fires(actions) == [Fire(2, "a")]


def test_a_camera_that_is_not_up_is_asked_for_nothing() -> None:
    book, _ = station()
    book.camera_died("a")
    actions = book.fire(1, "", 0)
    assert (fires(actions), answers(actions)) == ([], [(None, LossKind.not_triggered)])


def test_the_death_of_a_camera_worker_ends_its_trigger() -> None:
    book, _ = station()
    book.fire(1, "", 0)
    assert answers(book.camera_died("a")) == [(None, LossKind.not_triggered)]


def test_stopped_a_station_inspects_software_triggers_alone() -> None:
    book, line = station()
    book.set_running(False, 0)
    assert answers(line.frame("a", 1)) == [(1, LossKind.stopped)]
    book.fire(9, "S9", 1)
    line.frame("a", 2, 2)  # the line's, before the camera was fired
    actions = book.fired("a", 9, 3, 3)
    assert answers(actions) == [(2, LossKind.stopped)]
    (order,) = dispatches(line.frame("a", 3, 4))
    assert part_ids(book.inspected("infer.0", [order.frame.key], False, 5)) == [(3, 9, "S9")]


def test_joined_cameras_that_give_different_numbers_answer_all_that_they_mix_up() -> None:
    book, line = station("ab")
    book.fire(1, "S1", 0)
    book.fired("a", 1, 1, 1)
    line.frame("a", 1, 1)
    assert answers(line.frame("b", 1, 2)) == []  # of the line, as this camera was fired later
    actions = book.fired("b", 1, 2, 3)
    assert answers(actions) == [(1, LossKind.trigger_mismatch), (2, LossKind.trigger_mismatch)]
    line.frame("a", 3, 4)
    assert dispatches(line.frame("b", 3, 4))[-1].complete


def test_a_camera_that_does_not_take_it_counts_one_less_from_then_on() -> None:
    book, line = station("ab")
    book.fire(1, "S1", 0)
    book.fired("b", 1, None, 1)
    book.fired("a", 1, 1, 1)
    (answer,) = (action for action in line.frame("a", 1, 2) if isinstance(action, Answer))
    assert answer.lost_views == {"view b": LossKind.not_triggered}
    line.frame("a", 2, 3)
    assert dispatches(line.frame("b", 1, 3))[-1].complete


def test_too_many_are_answered_at_once() -> None:
    book, _ = station()
    for key in range(1, 102):
        assert answers(book.fire(key, "", 0)) == []
    assert answers(book.fire(102, "", 0)) == [(None, LossKind.overrun)]


def test_a_software_trigger_whose_number_is_known_outlives_the_ledger() -> None:
    book, _ = station()
    book.set_running(False, 0)
    book.fire(5, "S5", 0)
    book.fired("a", 5, 1, 1)
    new = Book(book.settings, accounts=book.accounts())
    new.set_running(False, 2)
    new.recovered(2)
    actions = new.tick(2 + DEADLINE_NS)
    assert (answers(actions), part_ids(actions)) == ([(1, LossKind.lost_transport)], [(1, 5, "S5")])


def test_what_was_asked_for_is_answered_when_the_daemon_ends() -> None:
    book, _ = station()
    book.fire(1, "", 0)
    book.fire(2, "", 0)
    assert answers(book.stopping()) == [(None, LossKind.daemon_restarted)] * 2
    assert book.stopping() == []


def test_while_one_is_under_way_no_part_of_joined_views_is_decided() -> None:
    book, line = station("ab", queue_depth=9)
    book.fire(1, "S1", 0)
    for number in (1, 2):
        line.frame("a", number, number)  # of the line: this camera is fired last
    book.fired("b", 1, 1, 3)
    orders = [order for number in (1, 2) for order in dispatches(line.frame("b", number, 3 + number))]
    assert orders == []
    actions = book.fired("a", 1, 3, 6)
    assert answers(actions) == [(number, LossKind.trigger_mismatch) for number in (1, 2, 3)]


def test_numbers_that_are_mixed_up_stay_so_when_they_are_shown_later() -> None:
    book, line = station("ab", largest_step=10)
    book.fire(1, "S1", 0)
    book.fired("a", 1, 1, 1)
    book.fired("b", 1, 50, 2)  # more than is believed at once
    assert answers(line.frame("a", 2, 3)) == [(2, LossKind.trigger_mismatch)]


def test_a_worker_that_says_hello_again_has_forgotten_what_it_was_to_fire() -> None:
    book, line = station()
    book.fire(1, "", 0)
    assert answers(line.ready("a")) == [(None, LossKind.not_triggered)]


def test_joined_cameras_are_fired_together_or_not_at_all() -> None:
    book, _ = station("ab")
    book.camera_died("b")
    actions = book.fire(1, "", 0)
    assert (fires(actions), answers(actions)) == ([], [(None, LossKind.not_triggered)])
