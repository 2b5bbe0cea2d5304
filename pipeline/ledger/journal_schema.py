"""The tables of the journal, and how its connections are set up (docs/decisions/0009-the-journal-never-waits-for-the-disk.md)."""

import os
import sqlite3
from pathlib import Path

from pipeline.result import Evaluation

FILE_NAME = "journal.db"
APPLICATION_ID = int.from_bytes(b"dtmJ", "big")
VERSION = 1
BUSY_S = 0.05  # no commit waits longer for another process
WAL_KEPT_BYTES = 40 * 2**20  # of the -wal when it is begun again: room that a full disk cannot take
EVALUATIONS = {Evaluation.NOT_OK: 0, Evaluation.UNDEFINED: 1, Evaluation.NOT_DECIDABLE: 2, Evaluation.OK: 3}
LARGEST_INTEGER = 2**63 - 1

# A result's id is place << SEQ_BITS | seq. The place of a session counts from 1 in this file: ids are in the order of
# (session, seq), every insert goes to the right end of the table, and no further index is needed.
SEQ_BITS = 40
LARGEST_PLACE = (1 << 63 - SEQ_BITS) - 1
SEQ_MASK = (1 << SEQ_BITS) - 1

TABLES = f"""
CREATE TABLE sessions (
    place INTEGER PRIMARY KEY, session INTEGER NOT NULL UNIQUE, began_utc_ns INTEGER NOT NULL,
    expired_seq INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE results (
    id INTEGER PRIMARY KEY, utc_ns INTEGER NOT NULL, evaluation INTEGER NOT NULL, trigger_number INTEGER,
    part_id TEXT NOT NULL, crc INTEGER NOT NULL, payload BLOB NOT NULL
);
CREATE INDEX results_by_age ON results (evaluation, utc_ns);
CREATE TABLE frames (
    ring_id INTEGER, slot INTEGER, generation INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (ring_id, slot)
) WITHOUT ROWID;
CREATE TABLE accounts (domain TEXT PRIMARY KEY, account BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE bound (
    domain TEXT, trigger_number INTEGER, part_id TEXT NOT NULL, PRIMARY KEY (domain, trigger_number)
) WITHOUT ROWID;
CREATE TABLE software (
    key INTEGER PRIMARY KEY, peer TEXT NOT NULL, request_id TEXT NOT NULL, part_id TEXT NOT NULL,
    utc_ns INTEGER NOT NULL, answer INTEGER
);
CREATE UNIQUE INDEX software_by_request ON software (peer, request_id) WHERE request_id <> '';
CREATE INDEX software_open ON software (key) WHERE answer IS NULL;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY, utc_ns INTEGER NOT NULL, peer TEXT NOT NULL, what TEXT NOT NULL, before TEXT NOT NULL,
    after TEXT NOT NULL
);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE images (
    id INTEGER, view TEXT, path TEXT NOT NULL, fault TEXT NOT NULL, PRIMARY KEY (id, view)
) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""


def result_id(place: int, seq: int) -> int:
    """The id of a result."""
    return place << SEQ_BITS | seq


def connect_writer(path: Path, wait_s: float) -> sqlite3.Connection:
    """A connection that may write; the file is made where it is not there.

    Args:
        path: the file.
        wait_s: how long this may wait for other processes; no later call waits longer than BUSY_S.

    Raises:
        sqlite3.Error: it cannot be opened, or is no journal of this version (NotAJournal).
    """
    connection = sqlite3.connect(path, timeout=wait_s, isolation_level=None)
    try:
        is_new = is_empty(connection)
        if not is_new:
            _refuse_other(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
        connection.execute("PRAGMA secure_delete = OFF")  # some builds overwrite what is deleted
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise sqlite3.OperationalError("this file system cannot share memory between processes")
        if is_new:
            _make_tables(connection)
        connection.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000)}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path, *, may_checkpoint: bool = False) -> sqlite3.Connection | None:
    """A connection that reads, or one that moves the -wal into the file; None where the tables are just being made.

    Raises:
        sqlite3.Error: it cannot be opened, or is no journal of this version (NotAJournal).
    """
    options = "mode=rw" if may_checkpoint else "mode=ro"
    if not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists():
        options += "&immutable=1"  # nobody writes it, and the files that reading needs cannot be made here
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}", timeout=BUSY_S, isolation_level=None, uri=True
    )
    try:
        if is_empty(connection):
            connection.close()
            return None
        _refuse_other(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether there is no table yet. Raises sqlite3.Error."""
    return bool(connection.execute("SELECT count(*) = 0 FROM sqlite_master").fetchone()[0])


class NotAJournal(sqlite3.DatabaseError):
    """The file is a database, but none of ours."""


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in TABLES.split(";"):
        connection.execute(statement)
    connection.execute("COMMIT")


def _refuse_other(connection: sqlite3.Connection) -> None:
    found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    if found != [APPLICATION_ID, VERSION]:
        raise NotAJournal(f"is no journal of version {VERSION}")
