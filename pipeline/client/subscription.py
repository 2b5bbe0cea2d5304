"""A subscription to a station's results: each once, in order, over restarts on either side."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import zmq

from pipeline.client.cursor import Cursor
from pipeline.client.feed import Feed
from pipeline.client.message import KINDS, Message, Published, read_published
from pipeline.client.order import PATIENCE_NS, Position
from pipeline.client.requester import connect, requests_endpoint
from pipeline.clock import monotonic_ns
from pipeline.requests import Gap
from pipeline.result import Result
from pipeline.security import ClientKeys
from pipeline.status import Heartbeat, Status

MOST_UNREAD = 10_000  # messages that wait for a slow consumer; what finds no room is had from the journal later
MOST_STATIONS = 1000
GAPS_KEPT = 1000
TURN_MS = 100
BEGINNING: Position = (0, 0)


class Subscription:
    """Results of one station, or of all stations that an address publishes; each station's in order of (session, seq).

    Each result is given once. One that can be had no more (the journal keeps results for days, not for ever) is told as a Gap:
    given by `receive`, listed in `gaps`, counted in `missed`. With `cursor` that holds over restarts of the subscriber, too.

    Attributes:
        missed: results known to be missed.
        gaps: the newest of them.
        malformed: messages that could not be decoded; they are dropped.
    """

    def __init__(
        self,
        endpoint: str,
        station: str = "",
        *,
        control: str | None = None,
        cursor: str | Path | None = None,
        from_start: bool = False,
        keys: ClientKeys | None = None,
        replay: bool = True,
        patience_s: float = PATIENCE_NS / 1e9,
    ) -> None:
        """Connect; there need be nobody there yet. Close it, or use it as a context manager.

        Args:
            endpoint: the stream's ZeroMQ address such as tcp://127.0.0.1:5570.
            station: only this station.
            control: address at which missed results are asked for; default: the stream's host, at the port in its heartbeats.
            cursor: file that keeps how far the consumer has come: it counts a result as consumed when the next one is asked
                for. After a kill, the result that was being consumed is given again.
            from_start: begin with the oldest result of the journal, where `cursor` knows nothing yet; else with the next one.
            keys: the client's, where the station asks for them.
            replay: False: give what comes as it comes, and only count what is missed.
            patience_s: how long missing results are asked for in vain before a Gap is told and later ones are given.

        Raises:
            ConfigError: `endpoint` is no address, or the cursor file cannot be used.
            AlreadyRunning: another subscriber holds the cursor file.
        """
        self.missed = 0
        self.gaps: deque[Gap] = deque(maxlen=GAPS_KEPT)
        self._endpoint, self._control, self._keys = endpoint, control, keys
        self._replay, self._from_start, self._patience_ns = replay, from_start, int(patience_s * 1e9)
        self._malformed = 0
        self._feeds: dict[str, Feed] = {}
        self._seen: dict[str, Position] = {}  # newest of each station, without replay
        self._ready: deque[tuple[str, Message]] = deque()
        self._given: tuple[str, Position] | None = None
        self._cursor = Cursor(Path(cursor)) if cursor is not None else None
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.rcvhwm = MOST_UNREAD
        for kind in KINDS:
            self._socket.subscribe(f"{kind}/{station}/" if station else f"{kind}/")
        try:
            connect(self._socket, endpoint, keys)
        except BaseException:
            self.close()
            raise

    @property
    def malformed(self) -> int:
        """Messages that could not be decoded; they are dropped."""
        return self._malformed + sum(feed.malformed for feed in self._feeds.values())

    def receive(self, timeout_s: float) -> Message | None:
        """The next message of any kind, None when `timeout_s` is over.

        Heartbeats and status are given as they come, results and gaps in their order. Whoever asks for the next message has
        consumed the one before.

        Raises:
            ConfigError: the cursor file cannot be written.
        """
        self._consumed()
        until = monotonic_ns() + int(timeout_s * 1e9)
        while not self._ready:
            left_ms = (until - monotonic_ns()) // 1_000_000 + 1
            self._turn(max(0, min(left_ms, TURN_MS)) if timeout_s > 0 else 0)
            if monotonic_ns() >= until:
                break
        if not self._ready:
            return None
        station, message = self._ready.popleft()
        if isinstance(message, Result):
            self._given = (station, (message.session, message.seq))
        elif isinstance(message, Gap):
            self._given = (station, (message.session, message.last))
            self.gaps.append(message)
            self.missed += message.last - message.first + 1
        return message

    def results(self, timeout_s: float | None = None) -> Iterator[Result]:
        """Every result as it comes; ends when none has come for `timeout_s` (None: never). Gaps are listed in `gaps`."""
        last = monotonic_ns()
        while timeout_s is None or monotonic_ns() - last < timeout_s * 1e9:
            message = self.receive(0.25)
            if isinstance(message, Result):
                yield message
                last = monotonic_ns()

    def __iter__(self) -> Iterator[Result]:
        return self.results()

    def _turn(self, wait_ms: int) -> None:
        """Ask for what is missing, wait, and take one message and all replies."""
        now = monotonic_ns()
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        for station, feed in self._feeds.items():
            feed.hear(now)  # what came while the consumer was away is no longer to be asked for
            self._take_deliveries(station, feed)
            feed.ask(now)
            if (asked := feed.awaited_from) is not None:
                poller.register(asked, zmq.POLLIN)
        came = dict(poller.poll(0 if self._ready else wait_ms))
        now = monotonic_ns()
        for station, feed in self._feeds.items():
            feed.hear(now)
            feed.order.tick(now)
            self._take_deliveries(station, feed)
        if self._socket in came:
            self._hear(now)

    def _hear(self, now_ns: int) -> None:
        """Take one message of the stream."""
        try:
            published = read_published(self._socket.recv_multipart())
        except ValueError:
            self._malformed += 1
            return
        if not self._replay:
            self._count(published)
            self._ready.append((published.station, published.message))
            return
        feed = self._feed(published.station)
        if feed is None:
            self._malformed += 1
            return
        message = published.message
        if isinstance(message, Heartbeat):
            feed.connect(self._control or requests_endpoint(self._endpoint, message.control_port))
        feed.take(message, published.size, now_ns)
        if self._cursor is not None and feed.order.start and published.station not in self._cursor.positions:
            self._cursor.write(published.station, feed.order.start)  # who dies before its first result misses none
        if not isinstance(message, Result):
            self._ready.append((published.station, message))
        self._take_deliveries(published.station, feed)

    def _feed(self, station: str) -> Feed | None:
        """The station's feed; None when there are too many stations to be true."""
        if station not in self._feeds and len(self._feeds) < MOST_STATIONS:
            known = self._cursor.positions.get(station) if self._cursor else None
            position = known or (BEGINNING if self._from_start else None)
            self._feeds[station] = Feed(self._context, station, position, self._patience_ns, self._keys)
        return self._feeds.get(station)

    def _take_deliveries(self, station: str, feed: Feed) -> None:
        self._ready.extend((station, delivery) for delivery in feed.order.deliveries)
        feed.order.deliveries.clear()

    def _count(self, published: Published) -> None:
        """Without replay: everything up to this message's number has been published, and what was not seen of it is missed."""
        message = published.message
        if isinstance(message, Status):
            return
        newest = message.seq - 1 if isinstance(message, Result) else message.last_seq
        session, seen = self._seen.get(published.station, (0, 0))
        if message.session != session:
            seen = newest
        self.missed += max(0, newest - seen)
        last = message.seq if isinstance(message, Result) else newest
        self._seen[published.station] = (message.session, max(seen, last))

    def _consumed(self) -> None:
        """The consumer has come back: what it was given last is done with."""
        if self._cursor is None:
            return
        if self._given is not None:
            self._cursor.write(*self._given)
            self._given = None
        if (
            not self._ready
        ):  # nothing waits, so the order's own position is consumed, too: at the begin of a session, say
            for station, feed in self._feeds.items():
                position = None if feed.order.deliveries else feed.order.position  # a signal may have raised in between
                if position is not None and self._cursor.positions.get(station) != position:
                    self._cursor.write(station, position)

    def close(self) -> None:
        """Let go of everything. The result that was given last counts as consumed only if `receive` was called since."""
        for feed in self._feeds.values():
            feed.close()
        self._socket.close(linger=0)
        self._context.term()
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close. Without an error the result that was given last is consumed."""
        if error is None:
            self._consumed()
        self.close()
