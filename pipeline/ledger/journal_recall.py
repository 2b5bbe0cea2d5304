"""What a new ledger, or a reader, gets back out of the journal."""

import sqlite3
import zlib
from dataclasses import dataclass, field

import msgspec

from pipeline.ledger.account import Account
from pipeline.ledger.journal_rows import AuditEntry
from pipeline.ledger.journal_schema import SEQ_BITS


@dataclass(frozen=True, slots=True)
class Contents:
    """What the ledgers before this one have left: the newest session (0: none), and what it goes on with."""

    session: int = 0
    software: int = 0
    accounts: dict[str, Account] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)


def read_contents(connection: sqlite3.Connection) -> Contents:
    """Raises sqlite3.Error, also where something in it is no account or setting."""
    return Contents(
        session=connection.execute("SELECT max(session) FROM sessions").fetchone()[0] or 0,
        software=connection.execute("SELECT max(key) FROM software").fetchone()[0] or 0,
        accounts=_read_accounts(connection),
        settings=dict(connection.execute("SELECT name, value FROM settings")),
    )


def _read_accounts(connection: sqlite3.Connection) -> dict[str, Account]:
    accounts = {}
    for domain, text in connection.execute("SELECT domain, account FROM accounts").fetchall():
        bound = dict(connection.execute("SELECT trigger_number, part_id FROM bound WHERE domain = ?", (domain,)))
        try:
            account = msgspec.json.decode(text, type=Account)
        except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
            error = sqlite3.DatabaseError(f"the account of {domain!r} is damaged: {problem}")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error from None
        accounts[domain] = msgspec.structs.replace(account, part_ids=bound)
    return accounts


def read_published(connection: sqlite3.Connection, ring_id: int, slot: int, generation: int) -> list[bytes] | None:
    """Payloads of the answer to a frame, None where it is not answered; what is gone since is left out."""
    found = connection.execute(
        "SELECT first, count FROM frames WHERE ring_id = ? AND slot = ? AND generation = ?", (ring_id, slot, generation)
    ).fetchone()
    if found is None:
        return None
    rows = connection.execute(
        "SELECT crc, payload FROM results WHERE id >= ? AND id < ? ORDER BY id", (found[0], found[0] + found[1])
    )
    return [payload for crc, payload in rows if zlib.crc32(payload) == crc]


def read_young(connection: sqlite3.Connection, before_place: int, utc_ns: int, at_most: int) -> list[bytes]:
    """Payloads of earlier sessions from `utc_ns` on, in order: the newest `at_most`."""
    rows = connection.execute(
        "SELECT utc_ns, crc, payload FROM results WHERE id < ? ORDER BY id DESC LIMIT ?",
        (before_place << SEQ_BITS, at_most),
    )
    young = [payload for stamp, crc, payload in rows if stamp >= utc_ns and zlib.crc32(payload) == crc]
    return young[::-1]


def read_newest(connection: sqlite3.Connection, limit: int) -> list[bytes]:
    """Payloads of the newest results, oldest first; damaged ones are left out."""
    rows = connection.execute("SELECT crc, payload FROM results ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
    return [payload for crc, payload in rows if zlib.crc32(payload) == crc][::-1]


def read_audits(connection: sqlite3.Connection, limit: int) -> list[AuditEntry]:
    """The newest entries of the audit trail, oldest first."""
    rows = connection.execute("SELECT utc_ns, peer, what, before, after FROM audit ORDER BY id DESC LIMIT ?", (limit,))
    return [AuditEntry(*row) for row in rows][::-1]
