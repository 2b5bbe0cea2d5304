"""The journal's file: who may write it, whether it is whole, and where a damaged one goes. Nothing is ever deleted."""

import contextlib
import errno
import fcntl
import os
import sqlite3
import time
from collections import deque
from pathlib import Path

from pipeline.clock import iso_utc, utc_ns
from pipeline.errors import AlreadyRunning, DatumdError
from pipeline.ledger.journal_recall import Contents, read_contents
from pipeline.ledger.journal_schema import FILE_NAME, NotAJournal, connect_writer

LOCK_NAME = "journal.lock"
LOCK_WAIT_S = 1.0  # a ledger that was just killed may still be ending
FILE_MAGIC = b"SQLite format 3\0"
WAL_MAGICS = (0x377F0682, 0x377F0683)
MOST_ASIDE = 3  # files a minute
SUFFIXES = ("", "-wal", "-shm")
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_TEXTS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "cannot be written",
    sqlite3.SQLITE_PERM: "cannot be written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk does not read or write",
    sqlite3.SQLITE_BUSY: "another process holds it",
}


class JournalFile:
    """One writer's hold on the file. It stays closed while the disk does not let us."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._connection: sqlite3.Connection | None = None
        self.set_aside = ""
        self._identity = (0, 0)
        self._lock: int | None = None
        self._asides: deque[float] = deque(maxlen=MOST_ASIDE)

    def lock(self) -> None:
        """Take the folder for this process, at once where it is taken already.

        Raises:
            AlreadyRunning: another process writes this journal.
            OSError: the lock cannot be made.
        """
        if self._lock is not None:
            return
        self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(
            self.path.with_name(LOCK_NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640
        )
        until = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    os.close(descriptor)
                    raise AlreadyRunning(
                        "another daemon writes its journal here",
                        where=str(self.path.parent),
                        next_command="stop it, or set another archive.folder in the station file",
                    ) from None
                time.sleep(0.02)
            else:
                self._lock = descriptor
                return

    def noted_session(self) -> int:
        """The newest session that was noted beside the journal, which may itself be lost; 0 where there is none."""
        if self._lock is None:
            return 0
        try:
            return int(os.pread(self._lock, 32, 0))
        except (OSError, ValueError):
            return 0

    def note_session(self, session: int) -> None:
        """Note the session, so that the next one is higher even if the journal should be lost."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.pwrite(self._lock, b"%020d\n" % session, 0)
                os.fsync(self._lock)

    def open(self, wait_s: float) -> Contents:
        """Open the journal and read what a ledger goes on with; a damaged one is put aside first, and a fresh one begun.

        It may wait `wait_s` for other processes.

        Raises:
            sqlite3.Error, OSError: the disk does not let us.
        """
        self.close()
        self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        if not self._looks_whole():
            self.put_aside()
        try:
            return self._connect(wait_s)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
        self.put_aside()
        return self._connect(wait_s)

    def _connect(self, wait_s: float) -> Contents:
        self._connection = connect_writer(self.path, wait_s)
        self._identity = self._found()
        return read_contents(self._connection)

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection. Raises sqlite3.OperationalError where there is none."""
        if self._connection is None:
            raise sqlite3.OperationalError("is not open")
        return self._connection

    def has_moved(self) -> bool:
        """Whether the file was removed or replaced since it was opened."""
        return self._found() != self._identity

    def put_aside(self) -> None:
        """Rename the file with its -wal and -shm.

        Raises:
            OSError: it cannot be renamed; or a few were in the last minute, so that it is the disk that damages them.
        """
        now = time.monotonic()
        if len(self._asides) == MOST_ASIDE and now - self._asides[0] < 60.0:
            raise OSError(errno.EUCLEAN, "is damaged again and again: replace the disk")
        self._asides.append(now)
        stamp = iso_utc(utc_ns()).replace(":", "").replace("-", "")
        aside = self.path.with_name(f"journal.corrupt-{stamp}.db")
        for suffix in SUFFIXES:  # before the connection is closed: SQLite removes the -wal of a file that has its name
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").rename(f"{aside}{suffix}")
        self.set_aside = str(aside)
        self.close()

    def close(self) -> None:
        """Close the connection; the lock stays."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def release(self) -> None:
        """Close all."""
        self.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _found(self) -> tuple[int, int]:
        try:
            status = self.path.stat()
        except OSError:
            return (0, 0)
        return status.st_dev, status.st_ino

    def _looks_whole(self) -> bool:
        """What SQLite would not refuse, but drop in silence: a -wal without its file, or one with a strange header."""
        parts = [Path(f"{self.path}{suffix}") for suffix in SUFFIXES]
        if any(part.exists() and not part.is_file() for part in parts):
            return False
        file_header, wal_header = _header(parts[0]), _header(parts[1])
        if file_header and not file_header.startswith(FILE_MAGIC):
            return False
        if not wal_header.strip(b"\0"):  # as after a power failure, before anything was in it
            return True
        return bool(file_header) and int.from_bytes(wal_header[:4], "big") in WAL_MAGICS


def _header(path: Path) -> bytes:
    """The first bytes of a file, empty where there is none. Only while no connection is open: closing it drops their locks."""
    try:
        with path.open("rb") as file:
            return file.read(32)
    except FileNotFoundError:
        return b""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is broken, or none of ours, rather than the disk full or away."""
    if isinstance(error, NotAJournal):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return (code is not None and code & 0xFF in _DAMAGE) or str(error).startswith("no such ")  # table, column


def is_passing(error: sqlite3.Error) -> bool:
    """Whether the connection is as good as before: the disk is full, or another process was in the way."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY}


def fault_text(error: Exception, path: Path) -> str:
    """One line that says what is wrong with the journal."""
    if isinstance(error, OSError):
        return f"{path}: {(error.strerror or str(error)).lower()}"
    if isinstance(error, DatumdError):
        return str(error)
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return f"{path}: {_TEXTS.get(code & 0xFF, str(error))}"
