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
from pipeline.ledger.journal_recall import read_audits, read_newest
from pipeline.ledger.journal_retention import touch_oldest
from pipeline.ledger.journal_rows import AuditEntry, Page
from pipeline.ledger.journal_schema import FILE_NAME, connect_reader
from pipeline.ledger.journal_wal import WalLength
from pipeline.requests import Gap

CHECKPOINT_BYTES = 32 * 2**20  # the first commit after it may wait for the disk, once in about 1,300
LARGEST_WAL_BYTES = 64 * 2**20
RESTART_WAIT_MS = 10


class JournalReader:
    """Reads the journal of a folder. The file is opened when it is first needed, and again when it was replaced."""

    def __init__(self, path: Path, checkpoint_bytes: int) -> None:
        self._path = path
        self._checkpoint_bytes = checkpoint_bytes
        self._wal = Path(f"{path}-wal")
        self._connection: sqlite3.Connection | None = None
        self._identity = (0, 0)
        self._synced_ns = 0
        self._wal_length = WalLength()
        self._restart_bytes = LARGEST_WAL_BYTES

    @classmethod
    def open(cls, folder: Path, *, checkpoint_bytes: int = CHECKPOINT_BYTES) -> "JournalReader":
        """A reader of the journal in `folder`. There may be none yet: then it is empty.

        `checkpoint_bytes`: how much `checkpoint` leaves in the -wal.
        """
        return cls(folder / FILE_NAME, checkpoint_bytes)

    def page(self, session: int, seq: int, limit: int) -> Page:
        """The results after (session, seq), at most `limit` of them; from the oldest where both are 0.

        Raises:
            JournalError: the journal cannot be read.
        """
        with self._reading() as connection:
            if connection is None:
                return Page([], session, seq, more=False, expired=[])
            return read_page(connection, session, seq, limit)

    def newest(self, limit: int) -> list[bytes]:
        """Payloads of the newest results, oldest first. Raises JournalError."""
        with self._reading() as connection:
            return read_newest(connection, limit) if connection is not None else []

    def audits(self, limit: int) -> list[AuditEntry]:
        """The newest entries of the audit trail, oldest first. Raises JournalError."""
        with self._reading() as connection:
            return read_audits(connection, limit) if connection is not None else []

    def setting(self, name: str) -> str | None:
        """A value that the ledger keeps, None where there is none. Raises JournalError."""
        with self._reading() as connection:
            if connection is None:
                return None
            found = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
            return found[0] if found else None

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
        """Wait for the disk in the ledger's stead; about once a second.

        What is in the -wal is made safe from a power failure, and moved into the file when it has grown; what expires next is
        read. The writer's lock is taken only where the -wal is far too large, for a moment.

        Returns:
            What is wrong, "" where all is well.
        """
        try:
            descriptor = os.open(self._wal, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return ""
        except OSError as error:
            return fault_text(error, self._path)
        try:
            changed_ns = os.fstat(descriptor).st_mtime_ns
            if changed_ns != self._synced_ns:
                os.fdatasync(descriptor)
                self._empty(self._wal_length.bytes_in(descriptor))
                with self._reading() as connection:
                    if connection is not None:
                        touch_oldest(connection)
                self._synced_ns = changed_ns
        except (sqlite3.Error, OSError, JournalError) as error:
            return fault_text(error, self._path)
        finally:
            os.close(descriptor)  # allowed: unlike the other two files, a -wal carries no locks of this process
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

    def _empty(self, wal_bytes: int) -> None:
        """Move what is in the -wal into the file: what no reader holds back, and of one that is far too large all of it."""
        if wal_bytes <= LARGEST_WAL_BYTES:
            self._restart_bytes = LARGEST_WAL_BYTES
        if wal_bytes <= self._checkpoint_bytes:
            return
        connection = connect_reader(self._path, may_checkpoint=True)
        if connection is None:
            return
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if (
                wal_bytes > self._restart_bytes
            ):  # little is left to be moved now: the writer's lock is held for a moment
                connection.execute(f"PRAGMA busy_timeout = {RESTART_WAIT_MS}")
                connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
                self._restart_bytes = wal_bytes * 5 // 4  # somebody reads for long: do not trouble the writer each time
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
