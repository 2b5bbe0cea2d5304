"""One station of a subscription: its order, and its line to the station's journal."""

import msgspec
import zmq

from pipeline import requests
from pipeline.client.message import read_result
from pipeline.client.order import Order, Position
from pipeline.client.requester import Requester
from pipeline.requests import Replay, Reply
from pipeline.result import Result
from pipeline.security import ClientKeys
from pipeline.status import Heartbeat, Status


class Feed:
    """What comes live and what the journal gives, put in order by `order`.

    Attributes:
        order: takes everything in; what it delivers is the caller's to take.
        malformed: replies and results in them that could not be decoded.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        station: str,
        position: Position | None,
        patience_ns: int,
        keys: ClientKeys | None,
    ) -> None:
        self.order = Order(station, position, patience_ns)
        self.malformed = 0
        self.requester: Requester | None = None
        self._awaited = 0  # requests that went to this requester and have no reply yet, perhaps never
        self._context = context
        self._keys = keys

    def take(self, message: Result | Heartbeat | Status, size: int, now_ns: int) -> None:
        """A message of the stream, `size` bytes long."""
        if isinstance(message, Result):
            self.order.result(message, size, now_ns)
        elif isinstance(message, Heartbeat):
            self.order.heartbeat(message.session, message.last_seq, now_ns)

    def connect(self, endpoint: str) -> None:
        """Ask there from now on, "" nowhere."""
        if self.requester is not None and self.requester.endpoint != endpoint:
            self.close()
        if self.requester is None and endpoint:
            self.requester, self._awaited = Requester(self._context, endpoint, self._keys), 0

    def ask(self, now_ns: int) -> None:
        """Ask the journal, where something is missing and it is time."""
        due = self.order.ask(now_ns)
        if due is None:
            return
        number, (session, seq) = due
        request = requests.encode(Replay(id=str(number), session=session, seq=seq))
        if self.requester is None or not self.requester.send(request):
            self.order.unanswered(number, now_ns)
        else:
            self._awaited += 1

    @property
    def awaited_from(self) -> "zmq.Socket[bytes] | None":
        """Where a reply may come, None where nothing was asked for."""
        return self.requester.socket if self.requester is not None and self._awaited else None

    def hear(self, now_ns: int) -> None:
        """Take the replies that are there."""
        while self._awaited and self.requester is not None and (parts := self.requester.receive()):
            self._awaited -= 1
            try:
                reply = requests.decode_reply(parts[0])
                number = int(reply.id)
            except (ValueError, msgspec.MsgspecError, RecursionError):
                self.malformed += 1
                continue
            self._take_reply(number, reply, parts[1:], now_ns)

    def _take_reply(self, number: int, reply: Reply, payloads: list[bytes], now_ns: int) -> None:
        if reply.error:
            self.order.unanswered(number, now_ns)
            return
        results = []
        for payload in payloads:
            try:
                results.append(read_result(payload))
            except ValueError:
                self.malformed += 1  # and so a gap
        self.order.page(number, results, (reply.session, reply.seq), reply.more, reply.expired, now_ns)

    def close(self) -> None:
        """Let go of the line."""
        if self.requester is not None:
            self.requester.close()
            self.requester = None
