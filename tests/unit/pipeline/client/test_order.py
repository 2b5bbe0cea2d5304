"""The order of results: the cases with a name. tests/property has all the others."""

import pytest

from pipeline.client.order import (
    AGAIN_NS,
    ANSWER_LIMIT_NS,
    BEATS_OF_AN_EARLIER_SESSION,
    MOST_HELD,
    MOST_HELD_BYTES,
    PATIENCE_NS,
    SILENT_NS,
    Order,
)
from pipeline.requests import Gap
from pipeline.result import Result
from tests.results import result

SECOND = 1_000_000_000
STATION = "L3-S20"


class Told:
    """An order with a clock, and what it delivered."""

    def __init__(self, position: tuple[int, int] | None = None) -> None:
        self.order = Order(STATION, position)
        self.now = 100 * SECOND

    def live(self, session: int, *seqs: int, size: int = 100) -> None:
        for seq in seqs:
            self.order.result(result(session=session, seq=seq), size, self.now)

    def beat(self, session: int, last_seq: int) -> None:
        self.order.heartbeat(session, last_seq, self.now)

    def ask(self) -> int:
        asked = self.order.ask(self.now)
        assert asked is not None
        return asked[0]

    def page(self, number: int, places: list[tuple[int, int]], reach: tuple[int, int], *expired: Gap) -> None:
        results = [result(session=session, seq=seq) for session, seq in places]
        self.order.page(number, results, reach, False, expired, self.now)

    def beat_for(self, seconds: float, session: int, last_seq: int, *, unanswered: bool = True) -> None:
        until = self.now + int(seconds * SECOND)
        while self.now < until:
            self.beat(session, last_seq)
            asked = self.order.ask(self.now)
            if asked is not None and unanswered:
                self.order.unanswered(asked[0], self.now)
            self.order.tick(self.now)
            self.now += SECOND // 10

    def given(self) -> list[tuple[int, ...]]:
        found = [
            (each.session, each.seq) if isinstance(each, Result) else (each.session, each.first, each.last)
            for each in self.order.deliveries
        ]
        self.order.deliveries.clear()
        return found


def test_now_is_where_the_first_message_is() -> None:
    for_a_beat, for_a_result = Told(), Told()
    for_a_beat.beat(7, 40)
    for_a_beat.live(7, 41)
    for_a_result.live(7, 41)
    assert for_a_beat.given() == for_a_result.given() == [(7, 41)]


def test_what_is_missing_is_asked_for_once_and_again_when_nobody_answers() -> None:
    told = Told((7, 1))
    told.live(7, 3)
    assert told.order.ask(told.now) == (1, (7, 1))
    assert told.order.ask(told.now + ANSWER_LIMIT_NS) is None
    assert told.order.ask(told.now + ANSWER_LIMIT_NS + 1) == (2, (7, 1))
    told.page(1, [(7, 2)], (7, 3))
    assert told.given() == []  # an answer that came too late is to another request
    told.page(2, [(7, 2)], (7, 3))
    assert told.given() == [(7, 2), (7, 3)]
    assert told.order.ask(told.now + 100 * SECOND) is None


def test_a_page_that_brings_nothing_is_asked_for_again_in_a_while() -> None:
    told = Told((7, 1))
    told.beat(7, 2)
    told.page(told.ask(), [], (7, 1))
    assert told.order.ask(told.now + AGAIN_NS - 1) is None
    assert told.order.ask(told.now + AGAIN_NS) is not None


def test_an_earlier_session_ends_where_the_journal_says() -> None:
    told = Told((7, 1))
    told.live(9, 1)
    assert told.given() == []
    told.page(told.ask(), [(7, 2), (8, 1)], (8, 3), Gap(8, 2, 3))
    assert told.given() == [(7, 2), (8, 1), (8, 2, 3), (9, 1)]


def test_a_session_that_begins_while_a_page_is_on_its_way_does_not_end_the_one_before() -> None:
    told = Told((7, 1))
    told.beat(7, 2)
    number = told.ask()
    told.beat(8, 0)
    told.page(number, [(7, 2)], (7, 2))
    assert told.order.position == (7, 2)
    told.page(told.ask(), [(7, 3)], (7, 3))
    assert told.order.position == (8, 0)
    assert told.given() == [(7, 2), (7, 3)]


def test_patience_is_bounded_and_the_next_gap_costs_less() -> None:
    told = Told((7, 1))
    told.live(7, 5)
    told.beat_for(PATIENCE_NS / SECOND - 0.5, 7, 5)
    assert told.given() == []
    told.beat_for(1.0, 7, 5)
    assert told.given() == [(7, 2, 4), (7, 5)]
    told.live(7, 7)
    told.beat_for(1.5, 7, 7)
    assert told.given() == [(7, 6, 6), (7, 7)]


def test_a_silent_station_is_waited_for() -> None:
    told = Told((7, 1))
    told.beat(7, 4)
    for _ in range(100):
        told.now += SILENT_NS + 1
        told.order.ask(told.now)
        told.order.tick(told.now)
    assert told.given() == []
    told.now += ANSWER_LIMIT_NS + 1
    told.beat(8, 0)
    told.page(told.ask(), [(7, 2), (7, 3), (7, 4)], (7, 4))
    assert told.given() == [(7, 2), (7, 3), (7, 4)]
    assert told.order.position == (8, 0)


def test_a_consumer_that_calls_seldom_has_not_been_patient() -> None:
    told = Told((7, 1))
    told.beat(7, 4)
    told.ask()
    told.now += 10 * PATIENCE_NS
    told.beat(7, 4)
    told.order.tick(told.now)
    assert told.given() == []


def test_a_session_whose_end_nobody_told_is_a_gap_without_an_end() -> None:
    told = Told((7, 1))
    told.beat(7, 3)
    told.live(8, 1)
    told.beat_for(PATIENCE_NS / SECOND + 1, 8, 1)
    assert told.given() == [(7, 2, 3), (7, 4, 3), (8, 1)]


def test_a_journal_that_does_not_know_our_session_says_so_once() -> None:
    told = Told((7, 5))
    told.beat(9, 0)
    told.page(told.ask(), [], (7, 5), Gap(7, 6, 5))
    assert told.given() == [(7, 6, 5)]
    assert told.order.position == (9, 0)


def test_results_that_the_journal_never_had_are_given_where_they_came_live() -> None:
    told = Told((7, 1))
    told.live(7, 3)
    told.page(told.ask(), [(7, 6)], (7, 6), Gap(7, 2, 5))
    assert told.given() == [(7, 2, 2), (7, 3), (7, 4, 5), (7, 6)]


@pytest.mark.parametrize(("count", "size"), [(MOST_HELD + 500, 100), (40, MOST_HELD_BYTES // 20)])
def test_what_is_held_is_bounded_and_the_rest_asked_for_again(count: int, size: int) -> None:
    told = Told((7, 1))
    told.live(7, *range(3, 3 + count), size=size)
    told.page(told.ask(), [(7, 2)], (7, 2))
    given = told.given()
    assert given == [(7, seq) for seq in range(2, 2 + len(given))]
    held = min(MOST_HELD, 20) if size > 100 else MOST_HELD
    assert len(given) == 1 + held
    assert told.order.ask(told.now) is not None


def test_a_station_that_was_set_back_is_followed() -> None:
    told = Told((7, 5))
    for _ in range(BEATS_OF_AN_EARLIER_SESSION - 1):
        told.beat(3, 1)
    told.live(7, 6)
    for _ in range(BEATS_OF_AN_EARLIER_SESSION):
        assert told.order.position == (7, 6)
        told.beat(3, 1)
    told.page(told.ask(), [(3, 1)], (3, 1))
    assert told.given() == [(7, 6), (7, 7, 6), (3, 1)]
