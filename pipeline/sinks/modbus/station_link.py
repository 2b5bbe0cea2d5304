"""The bridge's line to its station: two threads, one hears results, one asks. The loop's thread never waits for either."""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from typing import Protocol

from pipeline.client import Control, Message, NoAnswer, RequestRefused, Subscription, find_control
from pipeline.clock import monotonic_ns
from pipeline.result import Result
from pipeline.security import ClientKeys
from pipeline.sinks.modbus.signals import Action, Answer, Cause, Take
from pipeline.status import StationState, Status

log = logging.getLogger(__name__)

POLL_S = 0.2
REST_S = 0.05
HEARD_NS = 3_000_000_000  # three heartbeats
LEAST_TIMEOUT_S = 1.0


class Told(Protocol):
    """What a link feeds: the handshake, or what plays at one."""

    @property
    def is_waiting(self) -> bool: ...  # noqa: D102 - as the handshake's
    def station(self, can_inspect: bool, recipe: int | None) -> None: ...  # noqa: D102 - as the handshake's
    def answer(self, answer: Answer, now_ns: int) -> None: ...  # noqa: D102 - as the handshake's
    def triggered(self, number: int, key: int, now_ns: int) -> None: ...  # noqa: D102 - as the handshake's
    def refused(self, number: int, cause: Cause, now_ns: int) -> None: ...  # noqa: D102 - as the handshake's
    def recipe_refused(self, recipe: int) -> None: ...  # noqa: D102 - as the handshake's


class StationLink:
    """Feeds `handshake` in the loop `loop`, and carries out what it asks for."""

    def __init__(
        self,
        handshake: Told,
        endpoint: str,
        station: str,
        keys: ClientKeys | None,
        *,
        own_trigger: bool,
        window_ns: int,
    ) -> None:
        self._handshake, self._endpoint, self._station, self._keys = handshake, endpoint, station, keys
        self._own_trigger, self._timeout_s = own_trigger, max(LEAST_TIMEOUT_S, window_ns / 1e9)
        self._loop = asyncio.get_running_loop()
        self._asked: queue.SimpleQueue[Action] = queue.SimpleQueue()
        self._stop, self._awaited = threading.Event(), threading.Event()
        self._heard_ns: int | None = None
        self._status: Status | None = None
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

    def act(self, action: Action) -> None:
        """Ask the station for this, soon."""
        self._asked.put(action)
        self._awaited.set()

    def refresh(self) -> None:
        """Tell the handshake whether the station can inspect; in the loop's thread."""
        heard = self._heard_ns is not None and monotonic_ns() - self._heard_ns < HEARD_NS
        status = self._status
        states = {StationState.ContinuousExecution}
        if not self._own_trigger:
            states |= {StationState.Ready, StationState.SingleExecution}
        can = (
            heard
            and self._is_connected
            and status is not None
            and status.state in states
            and all(camera.up for camera in status.cameras)
        )
        self._handshake.station(can, None if status is None else status.recipe_id)

    def _guard(self, work: Callable[[], None]) -> None:
        """A thread that cannot go on ends the bridge: whoever started it sees why."""
        try:
            work()
        except Exception as error:  # told by the loop's thread
            self.fault = error

    def _listen(self) -> None:
        with Subscription(self._endpoint, self._station, keys=self._keys, replay=False) as subscription:
            while not self._stop.is_set():
                message = subscription.receive(POLL_S)
                while message is not None and not self._stop.is_set():
                    self._take(message)
                    message = subscription.receive(0.0)
                self._rest()

    def _rest(self) -> None:
        """While no answer is awaited, take messages in batches: each wake-up would cost the inspection some of its processor."""
        self._awaited.clear()
        if not self._handshake.is_waiting:
            self._awaited.wait(REST_S)

    def _take(self, message: Message) -> None:
        """In the listening thread."""
        if not self._station:
            self._station = message.station  # where several publish at one address, the first is ours
        if message.station != self._station:
            return
        self._heard_ns = monotonic_ns()
        if not isinstance(message, Result) or self._may_answer(message):
            self._tell(self._hear, message)

    def _may_answer(self, result: Result) -> bool:
        """Whether it may answer a trigger of ours: for one of the line's, which are most, the loop's thread is not woken."""
        return self._own_trigger or result.software_trigger is not None

    def _hear(self, message: Message) -> None:
        """In the loop's thread."""
        if isinstance(message, Result):
            self._handshake.answer(Answer.of(message), monotonic_ns())
        elif isinstance(message, Status):
            self._status = message
        self.refresh()

    def _tell(self, what: Callable[..., None], *values: object) -> None:
        if not self._stop.is_set():
            self._loop.call_soon_threadsafe(what, *values)

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                endpoint = find_control(self._endpoint, self._station, self._keys, timeout_s=2.0)
            except NoAnswer:
                continue
            with Control(endpoint, self._keys, timeout_s=self._timeout_s) as control:
                self._is_connected = True
                while not self._stop.is_set():
                    try:
                        action = self._asked.get(timeout=POLL_S)
                    except queue.Empty:
                        continue
                    self._carry_out(control, action)

    def _carry_out(self, control: Control, action: Action) -> None:
        try:
            if not isinstance(action, Take):
                control.select_recipe(action.number)
                return
            key = action.trigger_number
            if not self._own_trigger:
                key = control.trigger(action.part_id)
            elif action.part_id:
                control.bind([(action.trigger_number, action.part_id)])
            self._tell(self._triggered, action.acquisition, key)
        except (RequestRefused, NoAnswer) as error:
            log.warning("%s", error)
            cause = Cause.refused if isinstance(error, RequestRefused) else Cause.no_reply
            self._tell(self._refused, action, cause)

    def _triggered(self, acquisition: int, key: int) -> None:
        self._handshake.triggered(acquisition, key, monotonic_ns())

    def _refused(self, action: Action, cause: Cause) -> None:
        if isinstance(action, Take):
            self._handshake.refused(action.acquisition, cause, monotonic_ns())
        else:
            self._handshake.recipe_refused(action.number)
