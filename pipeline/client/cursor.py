"""The file in which a subscriber keeps how far it has come, so that it goes on there when it is started again.

One line for each station: name, session, seq, in fixed widths, written in place. A line never crosses a sector of the disk,
so a reader finds either the old or the new one, even after a kill.
"""

import fcntl
import os
import re
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.client.order import Position
from pipeline.errors import AlreadyRunning, ConfigError

LINE_BYTES = 64
MOST_BYTES = 1000 * LINE_BYTES
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,31}) +(\d{1,14}) +(\d{1,15})\n")


class Cursor:
    """Positions by station, in a file that one subscriber holds at a time.

    Attributes:
        positions: how far each station's results were consumed.
    """

    def __init__(self, path: Path) -> None:
        """Open, and make it where it is not there.

        Raises:
            ConfigError: it cannot be opened, or is not such a file.
            AlreadyRunning: another subscriber holds it.
        """
        self._path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
        except OSError as error:
            raise ConfigError(f"cannot be opened: {error.strerror}", where=f"cursor {path}") from error
        try:
            self._lock()
            self.positions = self._read()
        except BaseException:
            os.close(self._descriptor)
            raise
        self._rows = {station: row for row, station in enumerate(self.positions)}

    def _lock(self) -> None:
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise ConfigError("is no file", where=f"cursor {self._path}")
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunning(
                "another subscriber goes on from this file", where=f"cursor {self._path}", allowed="one file each"
            ) from error

    def _read(self) -> dict[str, Position]:
        """Station to its position, in the order of the file."""
        text = os.pread(self._descriptor, MOST_BYTES + 1, 0).decode("ascii", "replace")
        positions: dict[str, Position] = {}
        for row in range(-(-len(text) // LINE_BYTES)):
            match = _LINE.fullmatch(text[row * LINE_BYTES : (row + 1) * LINE_BYTES])
            if match is None or match[1] in positions or len(text) > MOST_BYTES:
                raise ConfigError(
                    f"line {row + 1} says no station, session and number",
                    where=f"cursor {self._path}",
                    next_command=f"rm {self._path}, which begins anew",
                )
            positions[match[1]] = (int(match[2]), int(match[3]))
        return positions

    def write(self, station: str, position: Position) -> None:
        """This far has been consumed. It is safe from the end of the process at once, from a power cut after some seconds.

        Raises:
            ConfigError: the disk is full, or the file system is gone.
        """
        row = self._rows.setdefault(station, len(self._rows))
        line = f"{station:32} {position[0]:>14} {position[1]:>15}\n".encode("ascii")
        try:
            os.pwrite(self._descriptor, line, row * LINE_BYTES)
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", where=f"cursor {self._path}") from error
        self.positions[station] = position

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
