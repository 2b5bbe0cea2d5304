"""The bridge's line to its station: two threads, one hears results, one asks. The loop's thread never waits for either."""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.client import Control, Message, NoAnswer, RequestRefused, Subscription, find_control
from pipeline.clock import monotonic_ns
from pipeline.security import ClientKeys
from pipeline.sinks.opcua.past import Past, read_past
from pipeline.status import Heartbeat

log = logging.getLogger(__name__)

POLL_S = 0.2
REST_S = 0.01  # between wake-ups; no client may have events more often (sessions.SHORTEST_INTERVAL_MS)
HEARD_NS = 3_000_000_000  # three heartbeats
LEAST_TIMEOUT_S = 1.0

Work = Callable[[Control], Any]


@dataclass(slots=True)
class Asked:
    """What the station is to be asked, until when it is worth it, and where the reply goes."""

    work: Work
    until_ns: int
    reply: "asyncio.Future[Any]"


class StationLink:
    """Made and used in the loop's thread. `hear` is called there with each message, `past` once with what was before.

    Attributes:
        fault: why a thread has ended; whoever runs the bridge ends it then.
    """

    def __init__(
        self,
        endpoint: str,
        station: str,
        keys: ClientKeys | None,
        *,
        timeout_s: float,
        depth: int,
        hear: Callable[[Message], None],
        past: Callable[[Past], None],
    ) -> None:
        self._endpoint, self._station, self._keys = endpoint, station, keys
        self._timeout_s, self._depth = max(LEAST_TIMEOUT_S, timeout_s), depth
        self._hear, self._past = hear, past
        self._loop = asyncio.get_running_loop()
        self._asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        self._stop, self._beaten = threading.Event(), threading.Event()
        self._beat: Heartbeat | None = None
        self._heard_ns: int | None = None
        self._is_connected = False
        self.fault: BaseException | None = None
        self._threads = [threading.Thread(target=self._guard, args=(each,)) for each in (self._listen, self._ask)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End both threads; a request that is under way is waited for."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def is_heard(self) -> bool:
        """Whether the station has been heard of late, and can be asked."""
        return self._is_connected and self._heard_ns is not None and monotonic_ns() - self._heard_ns < HEARD_NS

    async def ask(self, work: Work) -> Any:  # noqa: ANN401 - what `work` returns
        """Ask the station. What cannot be sent in time is not sent later.

        Raises:
            NoAnswer: nobody is there, or there was no reply in time; it may have been carried out.
            RequestRefused: the station does not do it.
        """
        if not self._is_connected:
            raise NoAnswer("the station is not heard", where=self._endpoint)
        reply: asyncio.Future[Any] = self._loop.create_future()
        self._asked.put(Asked(work, monotonic_ns() + int(self._timeout_s * 1e9), reply))
        return await reply

    def _guard(self, work: Callable[[], None]) -> None:
        """A thread that cannot go on ends the bridge: whoever started it sees why."""
        try:
            work()
        except Exception as error:  # told by the loop's thread
            self.fault = error

    def _listen(self) -> None:
        with Subscription(self._endpoint, self._station, keys=self._keys) as subscription:
            while not self._stop.is_set():
                message = subscription.receive(POLL_S)
                while message is not None and not self._stop.is_set():
                    self._sort(message)
                    message = subscription.receive(0.0)
                self._stop.wait(REST_S)

    def _sort(self, message: Message) -> None:
        """In the listening thread."""
        if not self._station:
            self._station = message.station  # where several publish at one address, the first is ours
        if message.station != self._station:
            return
        if isinstance(message, Heartbeat):
            self._beat = message
            self._beaten.set()
        self._tell(self._take, message)

    def _take(self, message: Message) -> None:
        """In the loop's thread."""
        self._heard_ns = monotonic_ns()
        self._hear(message)

    def _tell(self, what: Callable[..., None], *values: object) -> None:
        if not self._stop.is_set():
            self._loop.call_soon_threadsafe(what, *values)

    def _ask(self) -> None:
        while not self._stop.is_set():
            if not self._beaten.wait(POLL_S):
                continue
            try:
                endpoint = find_control(self._endpoint, self._station, self._keys, timeout_s=2.0)
            except NoAnswer:
                continue
            assert self._beat is not None  # noqa: S101 - it has been waited for
            self._tell(self._past, read_past(endpoint, self._keys, self._beat, self._depth, self._stop))
            with Control(endpoint, self._keys, timeout_s=self._timeout_s) as control:
                self._is_connected = True
                while not self._stop.is_set():
                    try:
                        asked = self._asked.get(timeout=POLL_S)
                    except queue.Empty:
                        continue
                    self._carry_out(control, asked)

    def _carry_out(self, control: Control, asked: Asked) -> None:
        try:
            if monotonic_ns() > asked.until_ns:
                raise NoAnswer("others were asked for so long", where=self._endpoint)
            answer = asked.work(control)
        except (RequestRefused, NoAnswer) as error:
            log.warning("%s", error)
            self._tell(_fail, asked.reply, error)
        else:
            self._tell(_fulfil, asked.reply, answer)


def _fulfil(reply: "asyncio.Future[Any]", value: object) -> None:
    if not reply.done():
        reply.set_result(value)


def _fail(reply: "asyncio.Future[Any]", error: Exception) -> None:
    if not reply.done():
        reply.set_exception(error)
