"""A worker's line to the ledger: one ZeroMQ DEALER socket, named after the worker."""

from collections.abc import Iterator

import zmq

from pipeline import messages
from pipeline.messages import FromLedger, ToLedger


class LedgerLink:
    """Send to the ledger, receive from it. Not for use by two threads."""

    def __init__(self, endpoint: str, name: str) -> None:
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.identity = name.encode()
        self._socket.linger = 200
        self._socket.sndhwm = self._socket.rcvhwm = 0  # doorbells are small, and the ring bounds how many there can be
        self._socket.connect(endpoint)

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
