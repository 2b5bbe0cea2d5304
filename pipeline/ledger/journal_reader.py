"""The journal as all others see it: read beside the ledger that writes it, which is never held up."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import JournalError
from pipeline.ledger.journal_export import Exported, Position, Span, first_position, read_stretch
from pipeline.ledger.journal_file import fault_text
from pipeline.ledger.journal_page import read_page
from pipeline.ledger.journal_recall import read_audits
from pipeline.ledger.journal_rows import AuditEntry, Page
from pipeline.ledger.journal_schema import FILE_NAME, connect_reader
from pipeline.requests import Gap

CHECKPOINT_BYTES = 4 * 2**20
LARGEST_WAL_BYTES = 64 * 2**20


class JournalReader:
    """Reads the journal of a folder. The file is opened when it is first needed, and again when it was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = Path(f"{path}-wal")
        self._connection: sqlite3.Connection | None = None
        self._identity = (0, 0)
        self._synced = (0, 0)

    @classmethod
    def open(cls, folder: Path) -> "JournalReader":
        """A reader of the journal in `folder`. There may be none yet: then it is empty."""
        return cls(folder / FILE_NAME)

    def page(self, session: int, seq: int, limit: int) -> Page:
        """The results after (session, seq), at most `limit` of them; from the oldest where both are 0.

        Raises:
            JournalError: the journal cannot be read.
        """
        with self._reading() as connection:
            if connection is None:
                return Page([], session, seq, more=False, expired=[])
            return read_page(connection, session, seq, limit)

    def audits(self, limit: int) -> list[AuditEntry]:
        """The newest entries of the audit trail, oldest first. Raises JournalError."""
        with self._reading() as connection:
            return read_audits(connection, limit) if connection is not None else []

    def export(self, span: Span) -> Iterator[Exported | Gap]:
        """The results of a span of time, in order, with the gaps between them.

        Raises:
            JournalError: the journal cannot be read.
        """
        with self._reading() as connection:
            position = first_position(connection, span) if connection is not None else None
        while position is not None:
            found, position = self._stretch(span, position)
            yield from found

    def checkpoint(self) -> str:
        """Make what is in the -wal safe from a power failure, and move it into the file when it has grown; once a second.

        This is the only place that waits for the disk in the journal's daily life; it takes the writer's lock for a moment only
        when the -wal is far too large.

        Returns:
            What is wrong, "" where all is well.
        """
        try:
            status = self._wal.stat()
            if status.st_size == 0 or (status.st_size, status.st_mtime_ns) == self._synced:
                return ""
            _sync(self._wal)
            if status.st_size > CHECKPOINT_BYTES:
                self._move(may_wait=status.st_size > LARGEST_WAL_BYTES)
            self._synced = status.st_size, status.st_mtime_ns
        except FileNotFoundError:
            return ""
        except (sqlite3.Error, OSError) as error:
            return fault_text(error, self._path)
        return ""

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _stretch(self, span: Span, position: Position) -> tuple[list[Exported | Gap], Position | None]:
        with self._reading() as connection:
            if connection is None:
                raise JournalError("was removed while it was read", where=str(self._path))
            return read_stretch(connection, span, position)

    def _move(self, *, may_wait: bool) -> None:
        """Move what is in the -wal into the file: what no reader holds back, and with `may_wait` all of it."""
        connection = connect_reader(self._path, may_checkpoint=True)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if may_wait:  # little is left to be moved now, so that the writer's lock is held for a moment
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection in a transaction: all that is read is of one moment. None where there is no journal yet."""
        try:
            connection = self._connected()
            if connection is None:
                yield None
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise JournalError(fault_text(error, self._path)) from None

    def _connected(self) -> sqlite3.Connection | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self.close()
            return None
        identity = status.st_dev, status.st_ino
        if self._connection is None or identity != self._identity:
            self.close()
            if status.st_size == 0:  # it is just being made
                return None
            self._connection, self._identity = connect_reader(self._path), identity
        return self._connection


def _sync(path: Path) -> None:
    """The data of a file to the disk. A descriptor of the -wal may be closed: unlike the others it carries no locks."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
