"""The order of a subscriber against a model of everything that can happen between it and a station.

Live messages are lost, repeated and swapped; requests and replies are lost; ledgers die with what they had only in memory; new
ones publish young rows again; rows are evicted; the client is killed and goes on from its cursor.
"""

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipeline.client.order import Order, Position
from pipeline.requests import Gap
from pipeline.result import Result
from tests.results import result

PATIENCE_NS = 30_000_000_000
SECOND_NS = 1_000_000_000
MOST_SETTLING_TURNS = 20_000


class Journal:
    """What `replay` is answered from: rows, and up to where each session's rows were ever written."""

    def __init__(self) -> None:
        self.rows: set[Position] = set()
        self.tops: dict[int, int] = {}

    def write(self, place: Position) -> None:
        self.rows.add(place)
        self.tops[place[0]] = max(place[1], self.tops.get(place[0], 0))

    def page(self, after: Position, limit: int) -> tuple[list[Position], Position, bool, list[Gap]]:
        """Rows after a position, how far they reach, whether there is more, and what is gone in between."""
        tops = [(session, top) for session, top in sorted(self.tops.items()) if (session, top) > after]
        rows = sorted(place for place in self.rows if place > after)
        given, more = rows[:limit], len(rows) > limit
        reach = given[-1] if more else max([*tops, after])
        expired = []
        for session, top in tops:
            first = after[1] + 1 if session == after[0] else 1
            last = min(top, reach[1]) if session == reach[0] else top
            here = [0, *(seq for at, seq in given if at == session)]
            bounds = [first - 1, *(seq for seq in here if seq >= first), last + 1]
            if session <= reach[0]:
                expired += [Gap(session, a + 1, b - 1) for a, b in pairwise(bounds) if b - a > 1]
        return given, reach, more, expired


class Line(RuleBasedStateMachine):
    """A station, the wires, and a subscriber that has been there from the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000 * SECOND_NS
        self.session = 10
        self.published = {10: 0}
        self.journal = Journal()
        self.unwritten: list[Position] = []
        self.wire: list[tuple[str, int, int]] = []
        self.requests: list[tuple[int, Position]] = []
        self.is_lossless = True
        self.given: list[Result | Gap] = []
        self.consumed = 0
        self.order = Order("L3-S20", (0, 0), PATIENCE_NS)

    # The station

    @rule(count=st.integers(1, 6), writable=st.sampled_from([True, True, True, False]))
    def publish(self, count: int, writable: bool) -> None:
        for _ in range(count):
            self.published[self.session] += 1
            place = (self.session, self.published[self.session])
            if writable and not self.unwritten:
                self.journal.write(place)
            else:
                self.unwritten.append(place)
                self.is_lossless = False
            self.wire.append(("result", *place))

    @rule()
    def beat(self) -> None:
        self.wire.append(("heartbeat", self.session, self.published[self.session]))

    @rule(forgotten=st.integers(0, 3))
    def write_what_waited(self, forgotten: int) -> None:
        for place in self.unwritten[forgotten:]:
            self.journal.write(place)
        self.unwritten.clear()

    @rule(step=st.integers(1, 3), young=st.integers(0, 5))
    def new_ledger(self, step: int, young: int) -> None:
        self.unwritten.clear()
        self.wire = [message for message in self.wire if message[0] == "result"]  # beats come in order
        self.wire += [("result", *place) for place in sorted(self.journal.rows)[-young:] if young]
        self.session += step
        self.published[self.session] = 0
        self.beat()

    @precondition(lambda self: self.journal.rows)
    @rule(count=st.integers(1, 8), oldest=st.booleans())
    def evict(self, count: int, oldest: bool) -> None:
        rows = sorted(self.journal.rows)
        self.journal.rows -= set(rows[:count] if oldest else rows[::2][:count])
        self.is_lossless = False

    # The wires

    @precondition(lambda self: self.wire)
    @rule(
        data=st.data(),
        what=st.sampled_from(["deliver", "deliver", "deliver", "lose", "repeat"]),
        at_front=st.booleans(),
    )
    def live(self, data: st.DataObject, what: str, at_front: bool) -> None:
        index = 0 if at_front else data.draw(st.integers(0, len(self.wire) - 1))
        message = self.wire[index] if what == "repeat" else self.wire.pop(index)
        if what != "lose":
            self.take(message)

    @rule()
    def deliver_all(self) -> None:
        for message in self.wire:
            self.take(message)
        self.wire.clear()

    def take(self, message: tuple[str, int, int]) -> None:
        kind, session, seq = message
        if kind == "result":
            self.order.result(result(session=session, seq=seq), 1000, self.now)
        else:
            self.order.heartbeat(session, seq, self.now)
        self.collect()

    @rule()
    def ask(self) -> None:
        request = self.order.ask(self.now)
        if request is not None:
            self.requests.append(request)

    @precondition(lambda self: self.requests)
    @rule(
        data=st.data(),
        limit=st.integers(1, 7),
        what=st.sampled_from(["answer", "answer", "answer", "late", "lose", "error"]),
    )
    def reply(self, data: st.DataObject, limit: int, what: str) -> None:
        index = data.draw(st.integers(0, len(self.requests) - 1))
        number, after = self.requests[index] if what == "late" else self.requests.pop(index)
        if what == "error":
            self.order.unanswered(number, self.now)
        elif what != "lose":
            self.answer(number, after, limit)

    def answer(self, number: int, after: Position, limit: int) -> None:
        places, reach, more, expired = self.journal.page(after, limit)
        results = [result(session=session, seq=seq) for session, seq in places]
        self.order.page(number, results, reach, more, expired, self.now)
        self.collect()

    # Time and the consumer

    @rule(milliseconds=st.sampled_from([10, 300, 1000, 2500]))
    def wait(self, milliseconds: int) -> None:
        self.now += milliseconds * 1_000_000
        self.order.tick(self.now)
        self.collect()

    @rule()
    def wait_in_vain(self) -> None:
        """Nobody answers for longer than the patience lasts, while the station is heard."""
        for _ in range(PATIENCE_NS // SECOND_NS + 10):
            if self.order.is_missing():
                self.is_lossless = False
            self.order.heartbeat(self.session, self.published[self.session], self.now)
            self.order.ask(self.now)
            self.order.tick(self.now)
            self.now += SECOND_NS
        self.collect()

    @rule(count=st.integers(0, 10))
    def consume(self, count: int) -> None:
        self.consumed = min(len(self.given), self.consumed + count)

    @rule()
    def restart(self) -> None:
        """The consumer is killed: what it was given since the cursor was written is given again."""
        del self.given[self.consumed :]
        self.order = Order("L3-S20", last_place(self.given[-1]) if self.given else (0, 0), PATIENCE_NS)
        self.requests.clear()

    def collect(self) -> None:
        self.given += self.order.deliveries
        self.order.deliveries.clear()

    @invariant()
    def nothing_is_given_twice_or_out_of_order(self) -> None:
        reached = (0, 0)
        for delivery in self.given:
            assert first_place(delivery) > reached
            reached = last_place(delivery)
        assert self.order.position is not None
        assert self.order.position >= reached

    def teardown(self) -> None:
        """In the end the subscriber has everything, and was told of nothing that it could have had."""
        for _ in range(MOST_SETTLING_TURNS):
            self.order.heartbeat(self.session, self.published[self.session], self.now)
            request = self.order.ask(self.now)
            if request is not None:
                self.answer(*request, limit=100)
            self.order.tick(self.now)
            self.collect()
            self.now += SECOND_NS // 10
            if not self.order.is_missing():
                break
        self.nothing_is_given_twice_or_out_of_order()
        assert self.order.position == (self.session, self.published[self.session])
        results = {last_place(delivery) for delivery in self.given if isinstance(delivery, Result)}
        gaps = [delivery for delivery in self.given if isinstance(delivery, Gap)]
        told = {(gap.session, seq) for gap in gaps for seq in range(gap.first, gap.last + 1)}
        owed = {(session, seq) for session, count in self.published.items() for seq in range(1, count + 1)}
        assert results | told <= owed
        lost_with_their_ledger = owed - results - told
        assert not lost_with_their_ledger & self.journal.rows - self.told_without_an_end()
        if self.is_lossless:
            assert not gaps
            assert results == owed

    def told_without_an_end(self) -> set[Position]:
        """Everything between a gap without an end and what was given next."""
        told = set()
        for index, delivery in enumerate(self.given):
            if is_open(delivery):
                following = [first_place(after) for after in self.given[index + 1 :]]
                until = min(following, default=(self.session, 0))
                told |= {place for place in self.journal.rows if first_place(delivery) <= place < until}
        return told


def is_open(delivery: Result | Gap) -> bool:
    return isinstance(delivery, Gap) and delivery.last < delivery.first


def first_place(delivery: Result | Gap) -> Position:
    return (delivery.session, delivery.first if isinstance(delivery, Gap) else delivery.seq)


def last_place(delivery: Result | Gap) -> Position:
    return (delivery.session, delivery.last if isinstance(delivery, Gap) else delivery.seq)


TestLine = Line.TestCase
TestLine.settings = settings(max_examples=250, stateful_step_count=50, deadline=None)
