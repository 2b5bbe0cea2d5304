"""How the page asks for a picture of a frame that may still lie in the ring: one question, one answer, over a Unix socket.

question   length (4 bytes, little-endian), Wanted as JSON
answer     length, Shown as JSON, length, the JPEG (none where `shown` is False)
"""

import socket
from pathlib import Path
from typing import Annotated

import msgspec

LENGTH_BYTES = 4
LARGEST_QUESTION_BYTES = 4096
LARGEST_BYTES = 64 * 2**20
TIMEOUT_S = 1.0

Area = tuple[int, int, int, int]  # x, y, width, height in sensor px


class Wanted(msgspec.Struct, frozen=True):
    """A picture of one frame of a camera, or of the newest where `frame_id` is None.

    Attributes:
        received_time: as in the result's view; frame ids begin anew when a camera does.
        area: what is to be shown, cut to the frame; None = the whole frame.
        longest_px: the picture's longer side, at most.
        figures: the frame's figures are wanted too.
    """

    camera: str
    frame_id: int | None = None
    received_time: str = ""
    area: Area | None = None
    longest_px: Annotated[int, msgspec.Meta(ge=16, le=8192)] = 1280
    figures: bool = False


class Figures(msgspec.Struct, frozen=True):
    """What an engineer sets a camera up by: all of the area, in grey levels from 0 to 255.

    Attributes:
        histogram: share of the pixels in each of 64 classes of 4 levels.
        mean: grey level.
        saturated: share of the pixels at 255.
        focus: the recipe's measure of sharpness (stages/image.py), 0 to 1; larger is sharper.
    """

    histogram: list[float]
    mean: float
    saturated: float
    focus: float


class Shown(msgspec.Struct, frozen=True):
    """Whether the frame was there, whole, and what was shown of it; `width` and `height` are those of the whole frame."""

    shown: bool
    frame_id: int = 0
    received_time: str = ""
    exposure_us: float | None = None
    width: int = 0
    height: int = 0
    area: Area = (0, 0, 0, 0)
    figures: Figures | None = None


class PictureLine:
    """The page's end. For one thread; a line that broke is made anew at the next question."""

    def __init__(self, path: Path) -> None:
        """`path`: of the socket; there need be nobody yet."""
        self._path = str(path)
        self._socket: socket.socket | None = None

    def ask(self, wanted: Wanted) -> tuple[Shown, bytes]:
        """The picture and what it shows; not shown, and no bytes, where it cannot be had."""
        try:
            connection = self._connected()
            connection.sendall(framed(msgspec.json.encode(wanted)))
            shown = msgspec.json.decode(receive(connection, LARGEST_BYTES), type=Shown)
            return shown, receive(connection, LARGEST_BYTES)
        except (OSError, msgspec.MsgspecError, ValueError):
            self.close()
            return Shown(False), b""

    def _connected(self) -> socket.socket:
        if self._socket is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(TIMEOUT_S)
            try:
                connection.connect(self._path)
            except OSError:
                connection.close()
                raise
            self._socket = connection
        return self._socket

    def close(self) -> None:
        """Let go."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def framed(payload: bytes) -> bytes:
    """With its length before it."""
    return len(payload).to_bytes(LENGTH_BYTES, "little") + payload


def receive(connection: socket.socket, largest_bytes: int) -> bytes:
    """One message, waited for.

    Raises:
        OSError: nothing came in time, or the other end has gone.
        ValueError: it is larger than it may be.
    """
    length = int.from_bytes(_exactly(connection, LENGTH_BYTES), "little")
    if length > largest_bytes:
        raise ValueError(f"a message of {length} bytes")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        if not chunk:
            raise ConnectionError("the other end has gone")
        received += chunk
    return bytes(received)
