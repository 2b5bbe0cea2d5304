"""A worker's line to the ledger: one ZeroMQ DEALER socket, named after the worker."""

from collections.abc import Iterator

import zmq

from pipeline import messages
from pipeline.messages import FromLedger, ToLedger


class LedgerLink:
    """Send to the ledger, receive from it. Not for use by two threads."""

    def __init__(self, endpoint: str, name: str) -> None:
        self._endpoint, self._name = endpoint, name
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._socket = self._connected()

    def _connected(self) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.DEALER)
        socket.identity = self._name.encode()
        socket.linger = 200
        socket.sndhwm = socket.rcvhwm = 0  # doorbells are small, and the ring bounds how many there can be
        socket.connect(self._endpoint)
        return socket

    def reconnect(self) -> None:
        """There is a new ledger: drop what is on its way to the old one and begin anew.

        A line that has not noticed yet that its other end died would swallow what is sent next.
        """
        self._socket.close(linger=0)
        self._socket = self._connected()

    @property
    def socket(self) -> zmq.Socket[bytes]:
        """For a poller, together with other sockets; another one after `reconnect`."""
        return self._socket

    def send(self, message: ToLedger) -> None:
        """Queue a message; never blocks."""
        self._socket.send(messages.encode(message))

    def receive(self, timeout_s: float) -> Iterator[FromLedger]:
        """Wait up to `timeout_s` for a message, then give all that are there."""
        if not self._socket.poll(int(timeout_s * 1000)):
            return
        while True:
            try:
                payload = self._socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            yield messages.decode_from_ledger(payload)

    def close(self) -> None:
        """Send what is queued (at most 200 ms) and close."""
        self._socket.close()
        self._context.term()
