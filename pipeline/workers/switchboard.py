"""The ledger's lines to the other workers, and word of each process that ends."""

import logging
import os
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from pipeline import messages
from pipeline.messages import FromLedger, ToLedger
from pipeline.workers.line import Line

log = logging.getLogger(__name__)

BACKLOG = 64  # workers that connect at once


class Switchboard:
    """Hears the workers and tells them; each is known by its name in the process list, the first that it says on its line."""

    def __init__(self, path: Path) -> None:
        """Listen at `path`, in the place of a ledger that has died. Raises OSError where that cannot be."""
        self.pids: dict[str, int] = {}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path.unlink(missing_ok=True)
        self._listener.bind(str(path))
        self._listener.listen(BACKLOG)
        self._listener.setblocking(False)
        self._poller = select.poll()
        self._poller.register(self._listener, select.POLLIN)
        self._lines: list[Line] = []  # in the order in which they came: a worker's forerunner is heard before it
        self._unnamed: list[Line] = []
        self._named: dict[str, Line] = {}
        self._watched: dict[str, int] = {}
        self._ended: list[str] = []
        self._ready: dict[int, int] = {}  # descriptors that the poller has just told of
        self._left: set[int] = set()  # lines at whose other end nobody is any more

    def wait(self, timeout_ms: int) -> bool:
        """Until a worker has something to say, or has ended, or the time is over. Returns whether it was not for the time."""
        ready = dict(self._poller.poll(0 if self._ended else timeout_ms))
        ended = [name for name, descriptor in self._watched.items() if descriptor in ready]
        for name in ended:
            self._forget(name)
        self._ended += ended
        if ended:  # a process lets go of its line before it ends, but perhaps after the poller had looked at the line
            ready |= dict(self._poller.poll(0))
        self._ready = ready
        self._left = {descriptor for descriptor, event in ready.items() if event & select.POLLHUP}
        if self._listener.fileno() in ready:
            self._accept()
        return bool(ready)

    def hear(self) -> Iterator[ToLedger]:
        """What the workers had said when `wait` ended; of each no more than a turn's worth, as deadlines wait meanwhile.

        Of one that has left, all that the kernel keeps: what is known of it from `ended`, and its successor, come after it.
        One whose words are not ours is hung up.
        """
        for line in [line for line in self._lines if line.descriptor in self._ready]:
            payloads = line.receive()
            while line.is_open and line.descriptor in self._left:
                payloads += line.receive()
            if line.has_unsent:
                line.flush()
                self._watch(line)
            try:
                said = self._understood(line, payloads)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                log.error("a worker said what is no message, and is hung up: %s", error)
                self._hang_up(line)
                continue
            if not line.is_open:
                self._hang_up(line)
            yield from said

    def _understood(self, line: Line, payloads: list[bytes]) -> list[ToLedger]:
        """The messages; before the first one a worker says its name."""
        if payloads and line in self._unnamed:
            self._named[payloads.pop(0).decode()] = line
            self._unnamed.remove(line)
        return [messages.decode_to_ledger(payload) for payload in payloads]

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
        self._poller.register(descriptor, select.POLLIN)

    def tell(self, name: str, message: FromLedger) -> None:
        """Queue a message; nothing happens when the worker is not there."""
        line = self._named.get(name)
        if line is not None:
            line.send(messages.encode(message))
            if line.has_unsent:
                self._watch(line)

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            while True:
                line = Line(self._listener.accept()[0])
                self._lines.append(line)
                self._unnamed.append(line)
                self._watch(line)

    def _watch(self, line: Line) -> None:
        """Wake up for what it says and, where it takes no more, when it does again."""
        self._poller.register(line.descriptor, select.POLLIN | (select.POLLOUT if line.has_unsent else 0))

    def _hang_up(self, line: Line) -> None:
        self._poller.unregister(line.descriptor)
        self._lines.remove(line)
        if line in self._unnamed:
            self._unnamed.remove(line)
        self._named = {name: other for name, other in self._named.items() if other is not line}
        line.close()

    def _forget(self, name: str) -> None:
        descriptor = self._watched.pop(name, None)
        if descriptor is not None:
            self._poller.unregister(descriptor)
            os.close(descriptor)

    def close(self) -> None:
        """Let go of everything."""
        for name in list(self._watched):
            self._forget(name)
        for line in list(self._lines):
            self._hang_up(line)
        self._poller.unregister(self._listener)
        self._listener.close()
