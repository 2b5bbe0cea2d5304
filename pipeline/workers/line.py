"""One end of a line between two processes of the daemon: messages of any length over a Unix stream socket, nothing in between.

At one part every 40 ms a message over ZeroMQ's ipc takes three times as long, as its own thread at each end has to be woken
as well (docs/decisions/0021).
"""

import socket
from collections import deque

LENGTH_BYTES = 4  # little-endian, before each message
CHUNK_BYTES = 1 << 16
MOST_BYTES = 1 << 26  # a length beyond it is none: no message of ours comes near


def framed(payload: bytes) -> bytes:
    """A message as it goes over the line."""
    return len(payload).to_bytes(LENGTH_BYTES, "little") + payload


class Line:
    """A connected socket. Neither method blocks, nor raises where the other end is gone: `is_open` tells.

    Attributes:
        is_open: the other end is there, as far as is known, or has left something to read.
        is_heard: what is sent may still arrive.
    """

    def __init__(self, connected: socket.socket) -> None:
        """Takes the socket over."""
        connected.setblocking(False)
        self.is_open = self.is_heard = True
        self._socket = connected
        self._received = bytearray()
        self._unsent: deque[bytes] = deque()  # with their lengths before them
        self._begun = 0  # bytes of the first one that are gone already

    @property
    def descriptor(self) -> int:
        """For a poller."""
        return self._socket.fileno()

    @property
    def has_unsent(self) -> bool:
        """The other end reads more slowly than this one writes: `flush` when the socket takes more."""
        return bool(self._unsent)

    @property
    def unsent(self) -> list[bytes]:
        """Messages that the kernel has not taken whole, in order."""
        return [one[LENGTH_BYTES:] for one in self._unsent]

    def send(self, payload: bytes) -> None:
        """Send a message, or keep what the kernel does not take for `flush`."""
        self._unsent.append(framed(payload))
        self.flush()

    def flush(self) -> None:
        """Send what is kept, as far as the kernel takes it."""
        while self._unsent and self.is_heard:
            first = self._unsent[0]
            try:
                sent = self._socket.send(first[self._begun :] if self._begun else first, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError:  # its last words may still wait to be read
                self.is_heard = False
                return
            self._begun += sent
            if self._begun == len(first):
                self._unsent.popleft()
                self._begun = 0

    def receive(self) -> list[bytes]:
        """The messages that have come whole; of what waits no more than fits into one chunk is read."""
        if self.is_open:
            self._read()
        found: list[bytes] = []
        at = 0
        while len(self._received) - at >= LENGTH_BYTES:
            begin = at + LENGTH_BYTES
            length = int.from_bytes(self._received[at:begin], "little")
            if length > MOST_BYTES:
                self._received.clear()
                self.is_open = self.is_heard = False
                return found
            end = begin + length
            if end > len(self._received):
                break
            found.append(bytes(self._received[begin:end]))
            at = end
        del self._received[:at]
        return found

    def _read(self) -> None:
        try:
            chunk = self._socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.is_open = self.is_heard = False
        self._received += chunk

    def close(self) -> None:
        """Let go; what is not sent is lost."""
        self.is_open = self.is_heard = False
        self._socket.close()
