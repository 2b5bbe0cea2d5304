"""The book: every part answered exactly once, and slots that nobody can touch twice."""

from pipeline.frame import FrameInfo, PixelFormat
from pipeline.ledger.account import Account
from pipeline.ledger.actions import Abandon, Action, Answer, Close, Copy, Dispatch, Grant, ImageLost
from pipeline.ledger.book import Book, BookSettings
from pipeline.ledger.slots import SlotState
from pipeline.loss import LossKind

DEADLINE_NS = 1_000


def settings(**changes: object) -> BookSettings:
    given: dict[str, object] = {
        "views": {"top": "top"},
        "joined": True,
        "deadline_ns": DEADLINE_NS,
        "queue_depth": 2,
        "policy": "drop_oldest",
        "slots": 12,
    }
    return BookSettings(**(given | changes))  # type: ignore[arg-type]


def info(trigger_number: int | None, at: int = 0) -> FrameInfo:
    return FrameInfo(8, 8, PixelFormat.Mono8, trigger_number or 0, trigger_number, None, None, at, at)


def answers(actions: list[Action]) -> list[tuple[int | None, LossKind | None]]:
    return [(action.part.trigger_number, action.loss) for action in actions if isinstance(action, Answer)]


def dispatches(actions: list[Action]) -> list[Dispatch]:
    return [action for action in actions if isinstance(action, Dispatch)]


class Line:
    """Fills granted slots, as a grab worker does."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.grants: dict[str, list[Grant]] = {}

    def note(self, actions: list[Action]) -> list[Action]:
        for action in actions:
            if isinstance(action, Grant):
                self.grants.setdefault(action.camera, []).append(action)
        return actions

    def ready(self, camera: str) -> list[Action]:
        self.grants[camera] = []
        return self.note(self.book.camera_ready(camera))

    def frame(self, camera: str, trigger_number: int | None, now: int = 0) -> list[Action]:
        grant = self.grants[camera].pop(0)
        return self.note(self.book.accepted(camera, grant.slot, grant.generation, info(trigger_number, now), now))


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


def test_a_late_result_is_counted_and_answers_nothing() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.worker_ready("infer.0", 0)
    (order,) = dispatches(line.frame("top", 1))
    book.tick(DEADLINE_NS)
    assert answers(book.inspected("infer.0", [order.frame.key], False, DEADLINE_NS + 1)) == []
    assert book.late_results == 1


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


def test_what_a_dead_worker_held_goes_to_the_next_one() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.worker_ready("infer.0", 0)
    (first,) = dispatches(line.frame("top", 1))
    again = dispatches(book.worker_ready("infer.0", 10))
    assert [(order.part, order.frame.slot) for order in again] == [(first.part, first.frame.slot)]
    assert answers(book.inspected("infer.0", [first.frame.key], False, 20)) == [(1, None)]


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


def test_a_book_newer_than_its_ring_grants_new_generations_only() -> None:
    book = Book(settings(slots=3), [SlotState(generation) for generation in (5, 0, 9)])
    grants = [action for action in book.camera_ready("top") if isinstance(action, Grant)]
    assert [(grant.slot, grant.generation) for grant in grants] == [(0, 6), (1, 1), (2, 10)]


def test_what_is_owed_when_the_daemon_ends_is_answered() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.connected("top", 0, 0)
    line.frame("top", 1)
    book.counted("top", 2, 0)
    assert answers(book.stopping()) == [(1, LossKind.daemon_restarted), (2, LossKind.daemon_restarted)]
    assert book.open_parts() == 0


def test_slots_of_a_grab_worker_that_died_come_back_under_a_new_generation() -> None:
    book = Book(settings(slots=3))
    line = Line(book)
    line.ready("top")
    stale = line.grants["top"][0]
    line.ready("top")
    assert len(line.grants["top"]) == 3
    assert book.accepted("top", stale.slot, stale.generation, info(1), 0) == []
    assert book.open_parts() == 0


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


def test_a_part_that_two_workers_died_of_is_answered() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    book.worker_ready("infer.0", 0)
    line.frame("top", 1)
    assert answers(book.worker_ready("infer.0", 10)) == []
    assert answers(book.worker_ready("infer.0", 20)) == [(1, LossKind.worker_died)]
    assert book.open_parts() == 0


def test_an_absurd_number_of_losses_does_not_make_as_many_parts() -> None:
    book = Book(settings(joined=False))
    Line(book).ready("top")
    lost = len(answers(book.lost("top", LossKind.lost_transport, None, 10**9, 0)))
    while (due := book.next_deadline_ns()) is not None and due <= 1:
        lost += len(answers(book.tick(1)))
    assert lost == 10_000


def drained(book: Book, now: int) -> list[tuple[int | None, LossKind | None]]:
    """What `tick` answers until it has nothing more to do at once."""
    found: list[tuple[int | None, LossKind | None]] = []
    while (due := book.next_deadline_ns()) is not None and due <= now:
        turn = answers(book.tick(now))
        assert len(turn) <= 500
        found += turn
    return found


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


def held(actions: list[Action]) -> list[Action]:
    return [action for action in actions if isinstance(action, Copy | ImageLost)]


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


def test_nothing_is_granted_to_a_camera_while_the_ring_is_scanned_for_its_frames() -> None:
    book = Book(settings())
    line = Line(book)
    line.ready("top")
    grant = line.grants["top"][0]
    book.camera_gone("top")
    actions = book.accepted("top", grant.slot, grant.generation, info(1), 0)
    assert not any(isinstance(action, Grant) for action in actions)
    assert len(line.ready("top")) == 3


def test_what_a_worker_said_before_its_hello_is_void() -> None:
    book = Book(settings(), accounts={"": Account(through=8, delivered={"top": 8})})
    book.recovered(0)
    for stale in (5, 6, 7):
        book.counted("top", stale, 0)
    book.lost("top", LossKind.incomplete, 7, 1, 0)
    assert (book.open_parts(), book.mismatched, book.accounts()) == (0, set(), {})


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


def test_a_frame_that_a_new_ledger_finds_after_a_later_one_is_not_lost() -> None:
    states = [SlotState(1, "top", None, info(3, 30)), SlotState(1, "top"), *[SlotState(0)] * 10]
    book = Book(settings(), states, {"": Account(through=1, delivered={"top": 1})})
    assert answers(book.recovered(40)) == []
    assert answers(book.accepted("top", 1, 1, info(2, 20), 40)) == []
    assert answers(book.camera_ready("top")) == []
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
