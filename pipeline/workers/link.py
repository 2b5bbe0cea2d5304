"""A worker's line to the ledger, which knows it by its name."""

import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from pipeline import messages
from pipeline.messages import FromLedger, ToLedger
from pipeline.workers.line import Line, framed

LINGER_S = 0.2


class LedgerLink:
    """Send to the ledger, receive from it. Not for use by two threads.

    What was sent and not taken by the ledger that has died since goes to the next one, as long as nobody says `reconnect`.
    """

    def __init__(self, path: Path, name: str) -> None:
        """`path`: of the ledger's socket; it need not be there yet."""
        self._path, self._name = str(path), name
        self._line: Line | None = None
        self._poller = select.poll()
        self._waiting: deque[bytes] = deque()  # for the next ledger
        self._connect()

    @property
    def descriptor(self) -> int | None:
        """For a poller, together with other sockets; another one after each loss of the ledger, None while there is none."""
        return self._line.descriptor if self._line is not None else None

    @property
    def has_unsent(self) -> bool:
        """Something was sent that no ledger has taken yet."""
        return bool(self._waiting) or (self._line is not None and self._line.has_unsent)

    def reconnect(self) -> None:
        """There is a new ledger: drop what is on its way to the old one and begin anew."""
        self._drop()
        self._waiting.clear()
        self._connect()

    def send(self, message: ToLedger) -> None:
        """Queue a message; never blocks."""
        self._waiting.append(messages.encode(message))
        self._pass_on()

    def receive(self, timeout_s: float) -> Iterator[FromLedger]:
        """Wait up to `timeout_s` for a message, then give all that are there; sooner where the ledger takes what is kept."""
        self._pass_on()
        if self._line is None:
            time.sleep(timeout_s)
            return
        if timeout_s:
            self._poller.modify(self._line.descriptor, select.POLLIN | (select.POLLOUT if self._line.has_unsent else 0))
            self._poller.poll(timeout_s * 1000)
        payloads = self._line.receive()
        self._pass_on()
        for payload in payloads:
            yield messages.decode_from_ledger(payload)

    def _pass_on(self) -> None:
        """What waits goes to the ledger that is there, if one is."""
        if self._line is not None and not self._line.is_open:
            self._waiting.extendleft(reversed(self._line.unsent))
            self._drop()
        if self._line is None:
            self._connect()
        if self._line is None:
            return
        while self._waiting:
            self._line.send(self._waiting.popleft())
        if self._line.has_unsent:
            self._line.flush()

    def _connect(self) -> None:
        """Where a ledger listens, tell it our name."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            connection.connect(self._path)
            connection.send(framed(self._name.encode()), socket.MSG_NOSIGNAL)  # a fresh line takes it whole
        except (FileNotFoundError, ConnectionError, BlockingIOError):  # none is there, or not yet; it is tried again
            connection.close()
            return
        self._line = Line(connection)
        self._poller.register(self._line.descriptor, select.POLLIN)

    def _drop(self) -> None:
        if self._line is not None:
            self._poller.unregister(self._line.descriptor)
            self._line.close()
            self._line = None

    def close(self) -> None:
        """Send what is queued (at most 200 ms) and close."""
        self._pass_on()
        until = time.monotonic() + LINGER_S
        while self._line is not None and self._line.is_heard and self.has_unsent and time.monotonic() < until:
            time.sleep(0.005)
            self._pass_on()
        self._drop()
