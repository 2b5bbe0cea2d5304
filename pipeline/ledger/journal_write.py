"""One transaction of the journal: rows with the frames and accounts that they settle, all or nothing."""

import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from pipeline.ledger.account import Account
from pipeline.ledger.journal_rows import Row
from pipeline.ledger.journal_schema import EVALUATIONS, LARGEST_INTEGER, SEQ_BITS, result_id
from pipeline.ledger.journal_waiting import Waiting

SESSIONS_OF_FRAMES = 64  # a ring that was left behind is looked at by one of the next ledgers, or never

_ROW = (
    "INSERT OR REPLACE INTO results (id, utc_ns, evaluation, trigger_number, part_id, crc, payload) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_FRAME = "INSERT OR REPLACE INTO frames (ring_id, slot, generation, first, count) VALUES (?, ?, ?, ?, ?)"
_ANSWERED = "UPDATE software SET answer = ? WHERE key = ?"
_ACCOUNT = "INSERT OR REPLACE INTO accounts (domain, account) VALUES (?, ?)"
_BIND = "INSERT OR REPLACE INTO bound (domain, trigger_number, part_id) VALUES (?, ?, ?)"
_UNBIND = "DELETE FROM bound WHERE domain = ? AND trigger_number = ?"


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it, or, where anything is raised, nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def write(
    connection: sqlite3.Connection,
    waiting: Waiting,
    rows: Sequence[Row],
    place: int,
    ring_id: int,
    on_disk: Mapping[str, Account],
) -> None:
    """Write notes, `rows` (the oldest that wait) and the frames that they answer in one transaction.

    The accounts, which say of all waiting rows that they are there, are written with the last of them.

    `on_disk` are the accounts as they are written already: of the bound part ids only what changed is touched.

    Raises:
        sqlite3.Error: nothing of it was written.
    """
    with transaction(connection):
        for note in waiting.notes:
            connection.execute(note.statement, note.values)
        for row in rows:
            _write_row(connection, row, place)
        for frame in waiting.settled_frames(rows):
            connection.execute(
                _FRAME, (ring_id, frame.slot, frame.generation, result_id(place, frame.seq), frame.count)
            )
        if len(rows) < len(waiting.rows):
            return
        if waiting.drops_accounts:
            connection.execute("DELETE FROM accounts")
            connection.execute("DELETE FROM bound")
        for domain, account in waiting.accounts.items():
            before = None if waiting.drops_accounts else on_disk.get(domain)
            _write_account(connection, domain, account, before)


def _write_row(connection: sqlite3.Connection, row: Row, place: int) -> None:
    number = row.trigger_number
    if number is not None and number > LARGEST_INTEGER:
        number = None  # a camera may say anything; the payload has it
    row_id = result_id(place, row.seq)
    crc = zlib.crc32(row.payload)
    values = (row_id, row.utc_ns, EVALUATIONS[row.evaluation], number, row.part_id, crc, row.payload)
    connection.execute(_ROW, values)
    if row.software:
        connection.execute(_ANSWERED, (row_id, row.software))


def _write_account(connection: sqlite3.Connection, domain: str, account: Account, before: Account | None) -> None:
    connection.execute(_ACCOUNT, (domain, msgspec.json.encode(msgspec.structs.replace(account, part_ids={}))))
    old, new = before.part_ids if before else {}, account.part_ids
    connection.executemany(_UNBIND, [(domain, number) for number in old.keys() - new.keys()])
    connection.executemany(
        _BIND, [(domain, number, part_id) for number, part_id in new.items() if old.get(number) != part_id]
    )


def begin_session(connection: sqlite3.Connection, session: int, utc_ns: int) -> int:
    """Write the session down, to the disk itself, and return its place; that of before where it is there already.

    Raises:
        sqlite3.Error: it could not be written.
    """
    found = connection.execute("SELECT place FROM sessions WHERE session = ?", (session,)).fetchone()
    if found is not None:
        return int(found[0])
    connection.execute("PRAGMA synchronous = FULL")  # a session never comes twice, not even after a power failure
    with transaction(connection):
        connection.execute("INSERT INTO sessions (session, began_utc_ns) VALUES (?, ?)", (session, utc_ns))
        place = connection.execute("SELECT max(place) FROM sessions").fetchone()[0]
        connection.execute("DELETE FROM frames WHERE first >> ? <= ?", (SEQ_BITS, place - SESSIONS_OF_FRAMES))
    connection.execute("PRAGMA synchronous = NORMAL")
    return int(place)
