"""Handing a picture to a camera in another process: a ticket over a Unix socket, the pixels beside it in a memory file.

A connection is one picture. Who sends needs no answer: what is sent lies in the receiver's socket, even after the sender's end.
"""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from pipeline.errors import AlreadyRunning, CameraLost

BACKLOG = 16  # pictures that lie in the socket
TICKET_BYTES = 32
_TICKET = struct.Struct(f"{TICKET_BYTES}s")
_PEER = struct.Struct("3i")  # pid, uid, gid: SO_PEERCRED, unix(7)


@dataclass(frozen=True, slots=True)
class Posted:
    """A picture that has come. `descriptor` is of its memory file, and is the receiver's to close."""

    ticket: str
    descriptor: int

    def read_into(self, target: memoryview) -> bool:
        """Copy the picture and let go of it. False where it is shorter than `target`."""
        done = 0
        try:
            while done < target.nbytes:
                count = os.preadv(self.descriptor, [target[done:]], done)
                if not count:
                    return False
                done += count
        finally:
            self.close()
        return True

    def close(self) -> None:
        """Let go of the picture."""
        os.close(self.descriptor)


def post(place: str, ticket: str, pixels: memoryview) -> None:
    """Hand a picture to the camera at `place`. Never waits.

    Args:
        place: as the camera's PictureBox has it.
        ticket: TICKET_BYTES ASCII characters.
        pixels: contiguous bytes.

    Raises:
        CameraLost: nobody receives there, or too many pictures lie there.
    """
    with ExitStack() as stack:
        try:
            memory = os.memfd_create("datumd-picture", os.MFD_CLOEXEC)
            stack.callback(os.close, memory)
            done = 0
            while done < pixels.nbytes:
                done += os.write(memory, pixels[done:])
            line = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            line.setblocking(False)
            line.connect(_address(place))
            if _user(line) != os.getuid():
                raise CameraLost("another user receives the pictures", where=place)
            socket.send_fds(line, [_TICKET.pack(ticket.encode("ascii"))], [memory])
        except OSError as problem:
            raise CameraLost(f"the camera takes no picture now ({problem.strerror})", where=place) from None


class PictureBox:
    """Where a camera receives pictures."""

    def __init__(self, place: str) -> None:
        """`place` names it, on this machine. Raises AlreadyRunning where somebody receives there."""
        self._lines: list[socket.socket] = []  # of those who have sent nothing yet
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._listener.bind(_address(place))
        except OSError as problem:
            self._listener.close()
            raise AlreadyRunning(f"pictures are received by somebody else ({problem.strerror})", where=place) from None
        self._listener.listen(BACKLOG)
        self._listener.setblocking(False)

    def collect(self) -> Iterator[Posted]:
        """What lies there. What other users have sent, or nobody understands, is dropped.

        Of who has connected and not sent yet the picture is taken at a later call, or given up when others need the room.
        """
        for _ in range(BACKLOG):
            try:
                line, _ = self._listener.accept()
            except BlockingIOError:
                break
            line.setblocking(False)
            self._lines.append(line)
        lines, self._lines = self._lines, []
        for line in lines:
            try:
                posted = _received(line)
            except BlockingIOError:
                self._lines.append(line)
                continue
            line.close()
            if posted is not None:
                yield posted
        while len(self._lines) > BACKLOG:
            self._lines.pop(0).close()

    def close(self) -> None:
        """Receive no more; what lies there is gone."""
        self._listener.close()
        for line in self._lines:
            line.close()
        self._lines.clear()


def _received(line: socket.socket) -> Posted | None:
    """What was sent; None where it is nothing that is understood. Raises BlockingIOError where it is still to come."""
    if _user(line) != os.getuid():
        return None
    try:
        content, descriptors, _, _ = socket.recv_fds(line, TICKET_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
    except BlockingIOError:
        raise
    except OSError:
        return None
    if len(descriptors) == 1 and len(content) == TICKET_BYTES:
        with suppress(UnicodeDecodeError):
            return Posted(content.decode("ascii"), descriptors[0])
    for descriptor in descriptors:
        os.close(descriptor)
    return None


def _user(line: socket.socket) -> int:
    credentials = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return int(_PEER.unpack(credentials)[1])


def _address(place: str) -> str:
    """In the abstract namespace (unix(7)): it goes with whoever has bound it."""
    return f"\0datumd-pictures-{place}"
