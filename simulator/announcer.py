"""Tells a station the part ids of triggers to come, as the line's controller would: a little before each part comes."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass

import msgspec
import zmq

from pipeline import requests
from pipeline.errors import ConfigError
from pipeline.requests import Bind

RETRY_S = 0.3
GIVE_UP_S = 30.0
MOST_REFUSALS = 3  # a refusal may be meant for the moment only
_POLL_S = 0.01


@dataclass(slots=True)
class _Pending:
    request: bytes
    since_s: float
    due_s: float
    refusals: int = 0


class Announcer:
    """Sends each part id until the station acknowledges it, from a thread of its own: the belt never waits for it.

    Attributes:
        acknowledged: part ids that the station took.
        refused: those that it did not, for example because the trigger had been answered already.
        given_up: those that nobody acknowledged in 30 s.
    """

    def __init__(self, endpoint: str) -> None:
        """Connect to a station's `control.bind`; there need be nobody there yet.

        Raises:
            ConfigError: `endpoint` is no address.
        """
        self.acknowledged = self.refused = self.given_up = 0
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.immediate = 1  # nothing is queued for a station that is not there: it is sent again when it is
        self._socket.sndhwm = self._socket.rcvhwm = 10_000
        try:
            self._socket.connect(endpoint if "://" in endpoint else f"tcp://{endpoint}")
        except zmq.ZMQError as error:
            self._socket.close()
            self._context.term()
            raise ConfigError(
                f"{endpoint!r} is no address ({error.strerror})", where="--announce", allowed="HOST:PORT"
            ) from error
        self._parts: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        self._pending: dict[str, _Pending] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
        self._thread.start()

    def announce(self, trigger_number: int, part_id: str) -> None:
        """The part that will pull this trigger. Never waits."""
        self._parts.put((trigger_number, part_id))

    def _run(self) -> None:
        while not self._stop.is_set():
            self._take()
            now_s = time.monotonic()
            for identity, pending in list(self._pending.items()):
                if now_s - pending.since_s > GIVE_UP_S:
                    self.given_up += 1
                    del self._pending[identity]
                elif now_s >= pending.due_s:
                    self._send(pending, now_s)
            self._hear()
        self._socket.close()

    def _take(self) -> None:
        try:
            trigger_number, part_id = self._parts.get(timeout=_POLL_S)
        except queue.Empty:
            return
        identity = f"{part_id}@{trigger_number}"
        request = requests.encode(Bind(id=identity, parts=[(trigger_number, part_id)]))
        now_s = time.monotonic()
        self._pending[identity] = _Pending(request, now_s, now_s)

    def _send(self, pending: _Pending, now_s: float) -> None:
        pending.due_s = now_s + RETRY_S
        try:
            self._socket.send(pending.request, zmq.DONTWAIT)
        except zmq.Again:
            return  # nobody there

    def _hear(self) -> None:
        while True:
            try:
                reply = requests.decode_reply(self._socket.recv_multipart(zmq.DONTWAIT)[-1])
            except zmq.Again:
                return
            except msgspec.MsgspecError:
                continue
            pending = self._pending.get(reply.id)
            if pending is None:
                continue  # acknowledged twice, as it was sent twice
            pending.refusals += bool(reply.error)
            if reply.error and pending.refusals < MOST_REFUSALS:
                continue
            del self._pending[reply.id]
            self.refused += bool(reply.error)
            self.acknowledged += not reply.error

    def close(self) -> None:
        """End the thread and let go of the socket."""
        self._stop.set()
        self._thread.join()
        self._context.term()
