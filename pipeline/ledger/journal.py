"""The journal's one writer: every answer goes to the disk before it is published, or waits in memory where the disk fails.

No method raises for trouble with the disk: `report().fault` says what is wrong, the station goes on. What was lost on the way is
counted. A damaged file is put aside, and a fresh one begun.
"""

import contextlib
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from pipeline.clock import utc_ns
from pipeline.errors import AlreadyRunning
from pipeline.ledger.account import Account
from pipeline.ledger.journal_file import JournalFile, fault_text, is_damage, is_passing
from pipeline.ledger.journal_recall import read_audits, read_published, read_young
from pipeline.ledger.journal_retention import Retention
from pipeline.ledger.journal_rows import AuditEntry, FrameKey, Row
from pipeline.ledger.journal_schema import BUSY_S, LARGEST_PLACE, SEQ_BITS
from pipeline.ledger.journal_waiting import Note, Waiting
from pipeline.ledger.journal_write import begin_session, write
from pipeline.result import Evaluation
from pipeline.status import JournalReport

START_WAIT_S = 5.0  # a new ledger must know what is answered
ROWS_A_TRANSACTION = 1_000  # all that the book answers in a turn, and more
FLUSH_S = 0.02  # how long a call may go on writing what has waited
CLOSE_S = 2.0
MOST_YOUNG = 2_000
REQUESTS_REMEMBERED = 1_000

_TROUBLE = (sqlite3.Error, OSError)
_SETTING = "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)"
_IMAGE = "INSERT OR REPLACE INTO images SELECT place << ? | ?, ?, ?, ? FROM sessions WHERE session = ?"
_Found = TypeVar("_Found")


class Journal:
    """The journal of one ledger's session. For one thread."""

    def __init__(self, file: JournalFile, ring_id: int, retention: Callable[[Evaluation], float]) -> None:
        self.session = 0
        self._file = file
        self.ring_id = self._ring_id = ring_id
        self._retention = Retention(retention)
        self._waiting = Waiting()
        self._fault = ""
        self._place = 0
        self._accounts: dict[str, Account] = {}
        self._settings: dict[str, str] = {}
        self._frames: dict[int, FrameKey] = {}
        self._next_software = 1
        self._requests: OrderedDict[tuple[str, str], int] = OrderedDict()

    @classmethod
    def open(cls, folder: Path, ring_id: int, ring_session: int, retention: Callable[[Evaluation], float]) -> "Journal":
        """Open the journal in `folder` and begin a session, higher than every one before it.

        Args:
            folder: the station's state folder.
            ring_id: whose frames FrameKey speaks of.
            ring_session: the session of the ledger before this one as the ring knows it, 0 where there was none.
            retention: how many days results of an evaluation are kept.

        Raises:
            AlreadyRunning: another process writes this journal. Trouble with the disk raises nothing: see `report`.
        """
        file = JournalFile(folder)
        with contextlib.suppress(OSError):  # it is tried again, and told, below
            file.lock()
        journal = cls(file, ring_id, retention)
        journal._open(ring_session)
        journal._flush()
        return journal

    def report(self) -> JournalReport:
        """How the journal is."""
        return JournalReport(
            fault=self._fault,
            unwritten=len(self._waiting.rows),
            forgotten=self._waiting.forgotten,
            set_aside=self._file.set_aside,
        )

    # Writing

    def commit(self, rows: Sequence[Row], frames: Sequence[FrameKey], accounts: Mapping[str, Account]) -> bool:
        """Write the answers of one turn, with the frames and accounts that they settle, in one transaction.

        Returns:
            Whether all is on the disk. If not, it waits in memory (`amend` says what was published instead), and nothing
            more is tried before `retry`.
        """
        self._frames.update((frame.slot, frame) for frame in frames)
        self._waiting.add(rows, frames, accounts)
        return self._flush()

    def amend(self, rows: Sequence[Row]) -> None:
        """What was published in the place of rows that still wait."""
        self._waiting.amend(rows)

    def retry(self) -> None:
        """Try to write what waits; once a second."""
        if self._fault:
            self._fault = ""
            if not self._file.is_open:
                self._open()
        self._flush()

    def forget_accounts(self) -> None:
        """After an orderly stop: nobody was promised an answer for what comes later."""
        self._waiting.drop_accounts()
        self._flush()

    def software(self, request_id: str, peer: str, part_id: str, utc_ns: int) -> int:
        """Write a request for a software trigger down before it is forwarded, where `known_software` does not know it; its key."""
        key = self._next_software
        self._next_software += 1
        if request_id:
            self._requests[peer, request_id] = key
            if len(self._requests) > REQUESTS_REMEMBERED:
                self._requests.popitem(last=False)
        statement = "INSERT OR IGNORE INTO software (key, peer, request_id, part_id, utc_ns) VALUES (?, ?, ?, ?, ?)"
        self._note(statement, key, peer, request_id, part_id, utc_ns)
        return key

    def known_software(self, request_id: str, peer: str) -> int | None:
        """The key of a request for a software trigger that was written down before; None where it is new, or has no id."""
        if not request_id:
            return None
        if (peer, request_id) in self._requests:
            return self._requests[peer, request_id]
        statement = "SELECT key FROM software WHERE peer = ? AND request_id = ?"
        found = self._read(lambda connection: connection.execute(statement, (peer, request_id)).fetchone(), None)
        return int(found[0]) if found else None

    def audit(self, utc_ns: int, peer: str, what: str, before: str, after: str) -> None:
        """Write down who changed what."""
        statement = "INSERT INTO audit (utc_ns, peer, what, before, after) VALUES (?, ?, ?, ?, ?)"
        self._note(statement, utc_ns, peer, what, before, after)

    def set_setting(self, name: str, value: str) -> None:
        """Keep a value for the ledgers to come."""
        self._settings[name] = value
        self._note(_SETTING, name, value)

    def image(self, session: int, seq: int, view: str, path: str, fault: str) -> None:
        """What became of an image of a result."""
        self._note(_IMAGE, SEQ_BITS, seq, view, path, fault, session)

    def prune(self, now_utc_ns: int, at_most: int) -> int:
        """Delete results that are older than their evaluation is kept, at most so many; returns how many."""
        if not self._file.is_open:
            return 0
        try:
            return self._retention.prune(self._file.connection, now_utc_ns, at_most)
        except sqlite3.Error as error:
            if not is_passing(error):
                self._trouble(error)
            return 0

    def close(self) -> None:
        """Write what waits, within reason, and let go."""
        self.retry()
        until = time.monotonic() + CLOSE_S
        while not (self._fault or self._flush()) and time.monotonic() < until:
            pass
        self._file.release()

    # Reading, of a new ledger at its start

    def accounts(self) -> dict[str, Account]:
        """The account of each domain."""
        return {**self._accounts, **self._waiting.accounts}

    def published(self, ring_id: int, slot: int, generation: int) -> list[bytes] | None:
        """Payloads of the answer to a frame; None where it is not answered. Those that have expired since are left out."""
        frame = self._waiting.frames.get(slot)
        if frame is not None and (ring_id, generation) == (self._ring_id, frame.generation):
            last = frame.seq + frame.count - 1
            return [row.payload for row in self._waiting.rows if frame.seq <= row.seq <= last]
        return self._read(lambda connection: read_published(connection, ring_id, slot, generation), None)

    def young(self, utc_ns: int) -> list[bytes]:
        """Payloads of earlier sessions that were answered at `utc_ns` or later, in order."""
        return self._read(
            lambda connection: read_young(connection, self._place or LARGEST_PLACE, utc_ns, MOST_YOUNG), []
        )

    def software_open(self) -> list[tuple[int, str]]:
        """Key and part id of every software trigger that is not answered, in order."""
        statement = "SELECT key, part_id FROM software WHERE answer IS NULL ORDER BY key"
        return self._read(lambda connection: connection.execute(statement).fetchall(), [])

    def setting(self, name: str) -> str | None:
        """A value that was kept; None where there is none."""
        return self._settings.get(name)

    def audits(self, limit: int) -> list[AuditEntry]:
        """The newest entries of the audit trail, oldest first."""
        return self._read(lambda connection: read_audits(connection, limit), [])

    # Inside

    def _open(self, ring_session: int = 0) -> None:
        """Open the file, or another that is in its place now, and see to it that all is in it that must be."""
        self._place = 0
        try:
            self._file.lock()
            found = self._file.open(BUSY_S if self.session else START_WAIT_S)
            if self.session and found.session > self.session:  # another file, of a time to come: order would be lost
                self._file.put_aside()
                found = self._file.open(BUSY_S)
        except (*_TROUBLE, AlreadyRunning) as error:
            self._number(ring_session)
            self._fault = fault_text(error, self._file.path)
            self._file.close()
            return
        self._number(max(ring_session, found.session))
        self._next_software = max(self._next_software, found.software + 1)
        self._waiting.accounts = {**self._accounts, **self._waiting.accounts}
        self._accounts = found.accounts
        self._waiting.frames.update(self._frames)
        for name, value in self._settings.items():
            if found.settings.get(name) != value:
                self._waiting.notes.append(Note(_SETTING, (name, value)))
        self._settings = {**found.settings, **self._settings}

    def _number(self, newest: int) -> None:
        """Give this session its number, once."""
        if not self.session:
            self.session = max(newest + 1, self._file.noted_session() + 1, utc_ns() // 1_000_000_000)
            self._file.note_session(self.session)

    def _note(self, statement: str, *values: int | str | None) -> None:
        self._waiting.notes.append(Note(statement, values))
        self._flush()

    def _flush(self) -> bool:
        """Write what waits, oldest first, for a moment at most; returns whether nothing waits any more."""
        if not self._fault and self._file.has_moved():
            self._open()
        until = time.monotonic() + FLUSH_S
        while not (self._fault or (self._place and self._waiting.is_empty)):
            try:
                if not self._place:
                    self._place = begin_session(self._file.connection, self.session, utc_ns())
                self._write()
                if time.monotonic() > until:  # looked at last, so that no commit is put off by being late
                    break
            except sqlite3.Error as error:
                self._trouble(error)
        return self._waiting.is_empty

    def _write(self) -> None:
        rows = self._waiting.first_rows(ROWS_A_TRANSACTION)
        write(self._file.connection, self._waiting, rows, self._place, self._ring_id, self._accounts)
        if len(rows) == len(self._waiting.rows):
            self._note_accounts()
        self._waiting.written(rows)

    def _note_accounts(self) -> None:
        """Remember the accounts as they are on the disk now."""
        if self._waiting.drops_accounts:
            self._accounts = {}
        for domain, account in self._waiting.accounts.items():
            self._accounts[domain] = msgspec.structs.replace(account, part_ids=dict(account.part_ids))

    def _trouble(self, error: sqlite3.Error) -> None:
        """Put a damaged file aside and go on with a fresh one; of all else say what it is, and wait for `retry`."""
        if not is_damage(error):
            self._fault = fault_text(error, self._file.path)
            if not is_passing(error):
                self._file.close()
            return
        try:
            self._file.put_aside()
        except OSError as problem:
            self._fault = fault_text(problem, self._file.path)
            self._file.close()
        else:
            self._open()

    def _read(self, query: Callable[[sqlite3.Connection], _Found], default: _Found) -> _Found:
        if not self._file.is_open:
            return default
        try:
            return query(self._file.connection)
        except sqlite3.Error as error:
            self._trouble(error)
            return default
