"""Reading a file that somebody else may have put there: of a limited size, and never one that is waited for."""

import os
import stat
from io import BufferedReader
from pathlib import Path, PurePath

from pipeline.errors import DatumdError

LONGEST_NAME = 255  # bytes of one part, NAME_MAX
LONGEST_PATH = 1024  # bytes; PATH_MAX is 4096, the folder's included


class NotPlainError(Exception):
    """A path leads to something that is no plain file; `what` says to what."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def read(path: Path, at_most: int, error: type[DatumdError], *, follow: bool = True) -> bytes:
    """The bytes of the plain file at `path`.

    A named pipe, a socket or a device is refused before it is read: opening or reading one may wait for ever, or never end.

    Args:
        path: the file.
        at_most: its largest size in bytes.
        error: what is raised.
        follow: False refuses a symbolic link.

    Raises:
        error: it is missing, unreadable, larger, or no plain file.
    """
    try:
        with open_plain(path, follow=follow) as file:
            content = file.read(at_most + 1)  # a file may grow while it is read, and those of /proc have no size
    except NotPlainError as problem:
        raise error(problem.what, where=str(path)) from None
    except OSError as problem:
        raise error(f"cannot be read ({problem.strerror})", where=str(path)) from None
    except ValueError:  # a zero byte in the name
        raise error("is no file's name", where=repr(str(path))) from None
    if len(content) > at_most:
        raise error("is too large", where=str(path), allowed=f"{at_most} bytes")
    return content


def below(folder: Path, name: str, error: type[DatumdError], *, where: str) -> Path:
    """The path that a file's text, `where`, names relative to `folder`. Raises `error` for one that leads out of it."""
    path = PurePath(name)
    lengths = [len(part.encode("utf-8", "replace")) for part in path.parts]
    too_long = sum(lengths) > LONGEST_PATH or max(lengths, default=0) > LONGEST_NAME
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name or too_long:
        raise error(f"names {name[:80]!r}", where=where, allowed=f"a path that stays in {folder}")
    return folder / path


def open_plain(path: Path, *, follow: bool = True) -> BufferedReader:
    """Open the plain file at `path` for reading.

    Raises:
        NotPlainError: it is a named pipe, a device, a folder, or, where links are not followed, a link.
        OSError: it is missing or unreadable.
    """
    _check(path.stat(follow_symlinks=follow).st_mode)  # before opening, which is an event for some devices
    # Without waiting for somebody who writes, should it have become a named pipe just now.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        _check(os.fstat(descriptor).st_mode)
    except NotPlainError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _check(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise NotPlainError("is a symbolic link" if stat.S_ISLNK(mode) else "is no plain file")
