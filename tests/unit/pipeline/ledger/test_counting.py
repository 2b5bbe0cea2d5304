"""What the cameras show: each number that is owed an answer has one part, lost or not."""

from pipeline.ledger.account import Account
from pipeline.ledger.actions import Abandon, Answer
from pipeline.ledger.book import Book
from pipeline.loss import LossKind
from tests.books import DEADLINE_NS, Line, answers, dispatches, drained, info, settings


def test_a_number_that_is_skipped_is_answered_as_lost_at_once() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.connected("top", 0, 0)
    book.worker_ready("infer.0", 0)
    assert answers(line.frame("top", 3)) == [(1, LossKind.lost_transport), (2, LossKind.lost_transport)]


def test_a_loss_that_the_camera_explains_keeps_its_kind() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.connected("top", 0, 0)
    assert answers(book.lost("top", LossKind.incomplete, 1, 1, 0)) == [(1, LossKind.incomplete)]
    assert answers(line.frame("top", 2)) == []


def test_the_last_trigger_without_a_frame_shows_in_the_counter() -> None:
    book = Book(settings())
    Line(book).ready("top")
    book.connected("top", 7, 0)
    book.counted("top", 8, 10)
    assert answers(book.tick(9 + DEADLINE_NS)) == []
    assert answers(book.tick(10 + DEADLINE_NS)) == [(8, LossKind.lost_transport)]


def test_triggers_of_before_the_first_connect_are_not_owed() -> None:
    book = Book(settings())
    Line(book).ready("top")
    assert book.connected("top", 40, 0) == []
    assert book.triggers == 0


def test_triggers_that_passed_while_the_camera_was_down_are_answered() -> None:
    book = Book(settings())
    Line(book).ready("top")
    book.connected("top", 5, 0)
    actions = book.connected("top", 7, 100)
    assert answers(actions) == [(6, LossKind.lost_while_down), (7, LossKind.lost_while_down)]


def test_a_counter_that_was_reset_is_followed() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.connected("top", 500, 0)
    book.worker_ready("infer.0", 0)
    book.connected("top", 0, 10)
    assert len(dispatches(line.frame("top", 1))) == 1


def test_a_view_that_never_comes_makes_the_part_undefined() -> None:
    book = Book(settings(views={"a": "top", "b": "side"}))
    line = Line(book)
    for camera in ("a", "b"):
        line.ready(camera)
        book.connected(camera, 0, 0)
    book.worker_ready("infer.0", 0)
    (order,) = dispatches(line.frame("a", 1))
    actions = line.frame("b", 2)
    assert answers(actions) == [(1, LossKind.view_missing)]
    assert Abandon(order.worker, order.part) in actions
    (answer,) = (action for action in actions if isinstance(action, Answer))
    assert answer.lost_views == {"side": LossKind.lost_transport}


def test_frames_without_numbers_are_parts_of_their_own_and_so_are_their_losses() -> None:
    book = Book(settings(views={"a": "a", "b": "b"}, joined=False))
    line = Line(book)
    line.ready("a")
    line.ready("b")
    book.worker_ready("infer.0", 0)
    assert dispatches(line.frame("a", None))[0].complete
    assert dispatches(line.frame("b", None))[0].complete
    lost = answers(book.lost("a", LossKind.lost_transport, None, 2, 0))
    assert lost == [(None, LossKind.lost_transport), (None, LossKind.lost_transport)]
    assert book.triggers == 4


def test_a_camera_whose_counter_cannot_be_read_owes_nothing_of_before_its_first_frame() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.worker_ready("infer.0", 0)
    book.connected("top", None, 0)
    assert answers(line.frame("top", 5000)) == []
    book.connected("top", None, 10)
    assert answers(line.frame("top", 5002)) == [(5001, LossKind.lost_transport)]
    assert book.triggers == 3


def test_a_counter_that_is_reset_while_frames_come_is_followed() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.connected("top", 500, 0)
    book.worker_ready("infer.0", 0)
    assert dispatches(line.frame("top", 501))
    assert answers(line.frame("top", 1)) == []
    assert book.mismatched == {"top"}
    actions = line.frame("top", 2)
    assert answers(actions) == [(501, LossKind.lost_while_down), (1, LossKind.lost_transport)]
    assert len(dispatches(actions)) == 1
    assert (book.triggers, book.open_parts(), book.late_frames, book.mismatched) == (3, 1, 1, set())


def test_a_reset_of_one_of_two_joined_cameras_answers_nothing_again() -> None:
    book = Book(settings(views={"a": "top", "b": "side"}, queue_depth=9, slots=30))
    line = Line(book)
    for camera in ("a", "b"):
        line.ready(camera)
        book.connected(camera, 0, 0)
    book.worker_ready("infer.0", 0)
    for number in (1, 2):
        orders = dispatches(line.frame("a", number)) + dispatches(line.frame("b", number))
        book.inspected("infer.0", [order.frame.key for order in orders], False, 0)
        for order in orders:
            line.note(book.released(*order.frame.key))
    assert book.connected("a", 0, 0) == []
    assert answers(line.frame("a", 1)) == []
    (answer,) = (action for action in line.frame("b", 3) if isinstance(action, Answer))
    assert (answer.part.trigger_number, answer.loss) == (3, LossKind.view_missing)
    assert answer.lost_views == {"top": LossKind.trigger_mismatch}
    assert (book.triggers, book.mismatched) == (3, {"a"})
    assert answers(book.connected("b", 0, 0)) == []
    line.frame("a", 2)
    assert dispatches(line.frame("b", 2))[-1].complete
    assert book.mismatched == set()


def test_an_absurd_number_of_losses_does_not_make_as_many_parts() -> None:
    book = Book(settings(joined=False))
    Line(book).ready("top")
    lost = len(answers(book.lost("top", LossKind.lost_transport, None, 10**9, 0)))
    while (due := book.next_deadline_ns()) is not None and due <= 1:
        lost += len(answers(book.tick(1)))
    assert lost == 10_000


def test_every_trigger_of_a_jump_is_answered_however_many_in_slices() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.connected("top", 10, 0)
    assert answers(book.connected("top", 30_010, 5)) == []
    assert book.mismatched == {"top"}
    lost = answers(line.frame("top", 30_011, 6)) + drained(book, 6)
    assert lost == [(number, LossKind.lost_while_down) for number in range(11, 30_011)]
    assert (book.mismatched, book.open_parts()) == (set(), 1)
    assert book.accounts()[""].through == 30_010


def test_one_corrupt_number_costs_its_own_trigger_alone() -> None:
    book = Book(settings(queue_depth=9))
    line = Line(book)
    line.ready("top")
    book.connected("top", 0, 0)
    line.frame("top", 1)
    assert answers(line.frame("top", 2**52)) == []
    assert answers(line.frame("top", 3)) == [(2, LossKind.lost_transport)]
    assert (book.triggers, book.late_frames, book.open_parts()) == (3, 1, 2)


def test_each_lost_view_keeps_its_own_reason() -> None:
    book = Book(settings(views={"a": "top", "b": "side"}))
    line = Line(book)
    for camera in ("a", "b"):
        line.ready(camera)
        book.connected(camera, 0, 0)
    book.lost("a", LossKind.incomplete, 1, 1, 0)
    (answer,) = (action for action in book.tick(DEADLINE_NS) if isinstance(action, Answer))
    assert answer.lost_views == {"top": LossKind.incomplete, "side": LossKind.lost_transport}


def test_cameras_whose_counters_start_apart_are_reported_and_never_joined() -> None:
    book = Book(settings(views={"a": "top", "b": "side"}, queue_depth=9, slots=30))
    line = Line(book)
    for camera, counter in (("a", 37), ("b", 1_000_000)):
        line.ready(camera)
        book.connected(camera, counter, 0)
    book.worker_ready("infer.0", 0)
    assert (book.mismatched, book.triggers) == ({"a"}, 0)
    line.frame("a", 38)
    assert answers(line.frame("b", 1_000_001)) == [(1_000_001, LossKind.view_missing)]
    assert (book.triggers, book.late_frames) == (1, 1)
    assert answers(book.resynchronise(5)) == []
    assert (book.mismatched, book.accounts()[""].offsets) == (set(), {"a": 1_000_001 - 38})
    line.frame("a", 39)
    assert dispatches(line.frame("b", 1_000_002))[-1].complete


def test_part_ids_are_bound_to_numbers_and_to_nothing_else() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.connected("top", 0, 0)
    book.worker_ready("infer.0", 0)
    assert book.bind([(1, "x"), (3, "z")]) == ""
    assert book.accounts()[""].part_ids == {1: "x", 3: "z"}
    assert "bound" in book.bind([(2, "y"), (3, "other")])
    lost = [action.part.part_id for action in line.frame("top", 4) if isinstance(action, Answer)]
    assert lost == ["x", "", "z"]
    assert "answered" in book.bind([(2, "y")])
    assert book.bind([(4, "w")]) == ""
    assert "at most" in book.bind([(number, "") for number in range(5, 2000)])


def test_what_a_worker_said_before_its_hello_is_void() -> None:
    book = Book(settings(), accounts={"": Account(through=8, delivered={"top": 8})})
    book.recovered(0)
    for stale in (5, 6, 7):
        book.counted("top", stale, 0)
    book.lost("top", LossKind.incomplete, 7, 1, 0)
    assert (book.open_parts(), book.mismatched, book.accounts()) == (0, set(), {})


def test_a_frame_that_was_said_to_be_lost_and_comes_before_its_answer_is_inspected() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.connected("top", 0, 0)
    book.worker_ready("infer.0", 0)
    line.frame("top", 1, 10)
    assert len(answers(book.lost("top", LossKind.incomplete, 2, 600, 11))) == 500
    grant = line.grants["top"][0]
    actions = book.accepted(
        "top", grant.slot, grant.generation, info(550, 5), 12
    )  # found in the ring after a later one
    assert len(dispatches(actions)) == 1
    assert (550, LossKind.incomplete) not in answers(actions)
    assert book.open_parts() == 2


def test_a_number_of_a_new_count_is_not_taken_for_that_of_the_old_one() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.connected("top", 0, 0)
    book.worker_ready("infer.0", 0)
    book.counted("top", 600, 1)
    assert len(answers(book.connected("top", 550, 2))) == 500
    assert len(dispatches(line.frame("top", 551, 3))) == 1
    drained(book, 3)
    assert book.open_parts() == 1


def test_what_a_reset_camera_counted_alone_is_answered_when_the_others_are_reset_too() -> None:
    book = Book(settings(views={"a": "top", "b": "side"}, queue_depth=9, slots=30))
    line = Line(book)
    for camera in ("a", "b"):
        line.ready(camera)
        book.connected(camera, 100, 0)
    book.connected("a", 0, 1)
    assert [answers(line.frame("a", number)) for number in (1, 2)] == [[], []]
    lost = answers(book.connected("b", 2, 2))
    assert lost == [(1, LossKind.lost_while_down), (2, LossKind.lost_while_down)]


def test_a_camera_status_of_before_the_hello_is_void() -> None:
    book = Book(settings(), accounts={"": Account(through=8, delivered={"top": 8})})
    book.recovered(0)
    assert answers(book.connected("top", 2, 0)) == []
    assert (book.open_parts(), book.mismatched, book.accounts()) == (0, set(), {})


def test_a_view_that_was_thought_missing_and_comes_in_time_is_inspected() -> None:
    book = Book(settings(views={"a": "top", "b": "side"}))
    line = Line(book)
    for camera in ("a", "b"):
        line.ready(camera)
        book.connected(camera, 0, 0)
    book.worker_ready("infer.0", 0)
    book.lost("a", LossKind.incomplete, 1, 1, 0)
    grant = line.grants["a"][0]
    book.accepted("a", grant.slot, grant.generation, info(1, -1), 1)  # found in the ring later on
    actions = line.frame("b", 1, 2)
    assert (answers(actions), dispatches(actions)[-1].complete) == ([], True)
