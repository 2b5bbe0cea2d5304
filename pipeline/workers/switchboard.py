"""The ledger's lines to the other workers: one ZeroMQ ROUTER socket, and word of each process that ends."""

import os
from collections.abc import Iterator
from contextlib import suppress

import zmq

from pipeline import messages
from pipeline.messages import FromLedger, ToLedger

MESSAGES_A_TURN = 200


class Switchboard:
    """Hears the workers and tells them; each is known by its name in the process list."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str) -> None:
        self.pids: dict[str, int] = {}
        self._socket = context.socket(zmq.ROUTER)
        self._socket.router_handover = True  # a restarted worker takes its forerunner's name over
        self._socket.sndhwm = self._socket.rcvhwm = 0
        self._socket.linger = 0
        self._socket.bind(endpoint)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._watched: dict[str, int] = {}
        self._ended: list[str] = []

    def wait(self, timeout_ms: int) -> None:
        """Until a worker has something to say, or has ended, or the time is over."""
        ready = dict(self._poller.poll(0 if self._ended else timeout_ms))
        for name, descriptor in list(self._watched.items()):
            if descriptor in ready:
                self._forget(name)
                self._ended.append(name)

    def hear(self) -> Iterator[ToLedger]:
        """What the workers have said by now; no more than a turn's worth, as deadlines wait meanwhile."""
        for _ in range(MESSAGES_A_TURN):
            try:
                _, payload = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            yield messages.decode_to_ledger(payload)

    def ended(self) -> list[str]:
        """Workers that said their hello and have ended since the last call, and did not come back yet."""
        ended, self._ended = self._ended, []
        return ended

    def greet(self, name: str, pid: int) -> None:
        """The worker is this process from now on; the kernel tells when it ends (pidfd_open(2))."""
        self._forget(name)
        self._ended = [other for other in self._ended if other != name]
        self.pids[name] = pid
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._ended.append(name)
            return
        self._watched[name] = descriptor
        self._poller.register(descriptor, zmq.POLLIN)

    def tell(self, name: str, message: FromLedger) -> None:
        """Queue a message; nothing happens when the worker is not there."""
        self._socket.send_multipart([name.encode(), messages.encode(message)])

    def _forget(self, name: str) -> None:
        descriptor = self._watched.pop(name, None)
        if descriptor is not None:
            self._poller.unregister(descriptor)
            os.close(descriptor)

    def close(self) -> None:
        """Let go of everything."""
        for name in list(self._watched):
            self._forget(name)
        with suppress(zmq.ZMQError):
            self._poller.unregister(self._socket)
        self._socket.close()
