"""Puts one station's results in order: what comes live and what the journal gives in, each result once and every gap told out.

Pure: no sockets, and the time is an argument. The rules:

1. `position` is (session, seq): everything up to there has been delivered, or told as a gap. Nothing is delivered twice.
2. What follows the position is delivered at once. What lies further on is held, and what is missing is asked of the journal:
   everything after the position. At a new session, too: the rest of the old one comes first.
3. A page of the journal says how far it reaches. What it does not give up to there, and is not held, is a gap.
4. A journal that gives nothing more (it cannot be written, nobody answers) is asked for `patience_ns`. Then a gap is told, and
   delivery goes on with what is held. While the station is silent nothing is given up: it may come back and know.
"""

import bisect
from collections import deque
from collections.abc import Sequence

from pipeline.requests import Gap
from pipeline.result import Result

Position = tuple[int, int]  # session, seq; (0, 0) is before the oldest result

PATIENCE_NS = 10_000_000_000
ANSWER_LIMIT_NS = 2_000_000_000  # a request without an answer is lost by then, and sent again
AGAIN_NS = 250_000_000  # between requests that brought nothing
SILENT_NS = 3_000_000_000  # three heartbeats
FEWEST_ATTEMPTS = (
    3  # before a gap is told: a consumer that calls seldom has not been patient for all the time that has passed
)
MOST_HELD = 4096
MOST_HELD_BYTES = 8 << 20
BEATS_OF_AN_EARLIER_SESSION = 3  # in a row: its sessions have begun anew, and no message is merely late


class Order:
    """The order of one station's results.

    Attributes:
        position: everything up to there was delivered; None until the first message says where "now" is.
        start: where the position was at first.
        deliveries: results and gaps in order; the caller takes them from the left.
    """

    def __init__(self, station: str, position: Position | None, patience_ns: int = PATIENCE_NS) -> None:
        self.position = self.start = position
        self.deliveries: deque[Result | Gap] = deque()
        self._station = station
        self._patience_ns = patience_ns
        self._heads: dict[int, int] = {}  # session to the highest number known in it, for those not delivered yet
        self._held: dict[Position, tuple[Result, int]] = {}
        self._places: list[Position] = []  # of what is held, in order
        self._held_bytes = 0
        self._early_beats = 0
        self._heard_ns = 0
        self._unknown_ends: set[int] = set()  # sessions of which nobody knows how many results they had
        self._asked = 0  # number of the newest request
        self._asked_ns: int | None = None  # None: there is none under way
        self._newest_when_asked = 0
        self._ask_from_ns = 0
        self._attempts = 0
        self._missing_since_ns: int | None = None
        self._is_deaf = False  # nothing was answered since a gap was told for want of an answer

    def result(self, result: Result, size: int, now_ns: int) -> None:
        """A result came live; `size` is its length on the wire in bytes."""
        self._heard_ns = now_ns
        place = (result.session, result.seq)
        if self.position is None:
            self.position = self.start = (result.session, result.seq - 1)
        if place <= self.position:
            return  # published again by a new ledger, or known from the journal
        self._early_beats = 0
        self._know(*place)
        if place == (self.position[0], self.position[1] + 1):
            self._deliver(result)
            self._drain()
        elif place not in self._held and self._has_room(size):
            bisect.insort(self._places, place)
            self._held[place] = (result, size)
            self._held_bytes += size
        self._note_missing(now_ns)

    def heartbeat(self, session: int, last_seq: int, now_ns: int) -> None:
        """The station's present session has published `last_seq` results."""
        self._heard_ns = now_ns
        if self.position is None:
            self.position = self.start = (session, last_seq)
        if session < self.position[0]:
            self._beat_of_an_earlier_session(session)
        else:
            self._early_beats = 0
        self._know(session, last_seq)
        self._note_missing(now_ns)

    def is_missing(self) -> bool:
        """Whether there is something after the position that has not come."""
        return self.position is not None and any((session, seq) > self.position for session, seq in self._heads.items())

    def ask(self, now_ns: int) -> tuple[int, Position] | None:
        """Ask the journal now for what comes after this position, if that is due: the request's own number, and the position."""
        if self._asked_ns is not None and now_ns - self._asked_ns > ANSWER_LIMIT_NS:
            self.unanswered(self._asked, now_ns)
            self._ask_from_ns = now_ns
        if self.position is None or self._asked_ns is not None or now_ns < self._ask_from_ns or not self.is_missing():
            return None
        self._asked += 1
        self._asked_ns = now_ns
        self._newest_when_asked = max(self._heads)
        return self._asked, self.position

    def unanswered(self, number: int, now_ns: int) -> None:
        """The request could not be sent, or was answered by an error."""
        if number == self._asked and self._asked_ns is not None:
            self._asked_ns = None
            self._attempts += 1
            self._ask_from_ns = now_ns + AGAIN_NS

    def page(
        self, number: int, results: Sequence[Result], reach: Position, more: bool, expired: Sequence[Gap], now_ns: int
    ) -> None:
        """The answer to request `number`: `results` in order, everything that the journal has up to `reach`.

        Answers to earlier requests are ignored.
        """
        if number != self._asked or self._asked_ns is None or self.position is None:
            return
        before = self.position
        self.unanswered(number, now_ns)
        self._is_deaf = False
        for gap in expired:
            self._know(gap.session, gap.last)
            if gap.last < gap.first:
                self._unknown_ends.add(gap.session)
        for result in results:
            if (result.session, result.seq) > self.position:
                self._go_to((result.session, result.seq - 1))
            if (result.session, result.seq) > self.position:
                self._deliver(result)
        self._go_to(reach)
        if not more:
            self._end_sessions()
        self._drain()
        if self.position != before:
            self._ask_from_ns = now_ns
        self._note_missing(now_ns)

    def tick(self, now_ns: int) -> None:
        """Tell a gap when patience is over. To be called when everything that has come has been given to this object."""
        if now_ns - self._heard_ns > SILENT_NS:
            self._missing_since_ns, self._attempts = None, 0
        self._note_missing(now_ns)
        patience_ns, attempts = self._patience_ns, FEWEST_ATTEMPTS
        if self._is_deaf:
            patience_ns, attempts = patience_ns // 10, 1
        since = self._missing_since_ns
        if self.position is None or since is None or self._attempts < attempts or now_ns - since < patience_ns:
            return
        self._is_deaf = True
        target = (self._places[0][0], self._places[0][1] - 1) if self._places else max(self._heads.items())
        self._unknown_ends |= {session for session in (self.position[0], *self._heads) if session < target[0]}
        self._go_to(target)
        self._drain()
        self._note_missing(now_ns)

    def _know(self, session: int, seq: int) -> None:
        if self.position is not None and session >= self.position[0]:
            self._heads[session] = max(seq, self._heads.get(session, 0))

    def _has_room(self, size: int) -> bool:
        """Else what has just come is left to the journal: what was held before is wanted sooner."""
        return len(self._held) < MOST_HELD and self._held_bytes + size <= MOST_HELD_BYTES

    def _beat_of_an_earlier_session(self, session: int) -> None:
        """The station's journal is gone and its clock stands lower: what it publishes now would never be new."""
        self._early_beats += 1
        if self._early_beats < BEATS_OF_AN_EARLIER_SESSION:
            return
        self._early_beats = 0
        self._heads.clear()
        self._held.clear()
        self._places.clear()
        self._held_bytes = 0
        self._asked_ns = None
        if self.position is not None:
            self._tell_unknown(*self.position)
        self._move_to((session, 0))

    def _end_sessions(self) -> None:
        """The journal has no more: earlier sessions than the newest are over, if nothing is known to be missing in them."""
        newest = self._newest_when_asked
        earlier = [(session, seq) for session, seq in self._heads.items() if session < newest]
        if (
            self.position is not None
            and newest > self.position[0]
            and all(seq == 0 or (session, seq) <= self.position for session, seq in earlier)
        ):
            self._go_to((newest, 0))

    def _go_to(self, target: Position) -> None:
        """Deliver what is held up to `target`, and tell the rest as gaps."""
        while self._places and self._places[0] <= target:
            session, seq = self._places[0]
            self._tell_up_to((session, seq - 1))
            self._deliver(self._held[session, seq][0])
        self._tell_up_to(target)

    def _tell_up_to(self, target: Position) -> None:
        if self.position is None or target <= self.position:
            return
        session, seq = self.position
        for ended in sorted(known for known in {session, *self._heads} if known < target[0]):
            before = seq if ended == session else 0
            last = max(before, self._heads.get(ended, 0))
            self._tell(ended, before + 1, last)
            if ended in self._unknown_ends:
                self._tell_unknown(ended, last)
        self._tell(target[0], seq + 1 if session == target[0] else 1, target[1])
        self._move_to(target)

    def _tell_unknown(self, session: int, seq: int) -> None:
        """What the session had after `seq`, if anything, nobody knows: a gap without an end."""
        self.deliveries.append(Gap(session, seq + 1, seq, self._station))

    def _tell(self, session: int, first: int, last: int) -> None:
        if first <= last:
            self.deliveries.append(Gap(session, first, last, self._station))

    def _deliver(self, result: Result) -> None:
        self.deliveries.append(result)
        self._move_to((result.session, result.seq))

    def _drain(self) -> None:
        """Deliver what is held and follows the position."""
        while self._places and self.position and self._places[0] == (self.position[0], self.position[1] + 1):
            self._deliver(self._held[self._places[0]][0])

    def _move_to(self, position: Position) -> None:
        """Everything up to `position` is delivered or told."""
        self.position = position
        self._missing_since_ns = None
        self._attempts = 0
        for session in [session for session in self._heads if session < position[0]]:
            del self._heads[session]
        self._unknown_ends = {session for session in self._unknown_ends if session >= position[0]}
        known = bisect.bisect_right(self._places, position)
        for place in self._places[:known]:
            self._held_bytes -= self._held.pop(place)[1]
        del self._places[:known]

    def _note_missing(self, now_ns: int) -> None:
        if not self.is_missing():
            self._missing_since_ns = None
        elif self._missing_since_ns is None:
            self._missing_since_ns = now_ns
