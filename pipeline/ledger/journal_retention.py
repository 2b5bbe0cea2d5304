"""What leaves the journal when: results by evaluation and age, everything else by number. A few rows at a time."""

import sqlite3
from collections.abc import Callable, Sequence

from pipeline.ledger.journal_schema import EVALUATIONS, SEQ_BITS, SEQ_MASK
from pipeline.ledger.journal_write import transaction
from pipeline.result import Evaluation

AUDITS_KEPT = 100_000
SOFTWARE_KEPT = 10_000
SESSIONS_KEPT = 100_000
TOUCHED = 200  # rows of each evaluation, about once a second
REST_NS = 1_000_000_000  # after nothing was due
DAY_NS = 86_400_000_000_000

_OLD = "SELECT id FROM results INDEXED BY results_by_age WHERE evaluation = ? AND utc_ns < ? ORDER BY utc_ns LIMIT ?"
_TOUCH = (  # with their neighbours, whose pages take part when one is emptied
    "SELECT max(near.crc) FROM (SELECT id FROM results INDEXED BY results_by_age WHERE evaluation = ? ORDER BY utc_ns LIMIT ?)"
    " AS oldest JOIN results AS near ON near.id BETWEEN oldest.id - 2 AND oldest.id + 2"
)
_BOUNDED = (
    (
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id <= (SELECT max(id) FROM audit) - ? LIMIT ?)",
        AUDITS_KEPT,
    ),
    (
        "DELETE FROM software WHERE key IN (SELECT key FROM software WHERE key <= (SELECT max(key) FROM software) - ? LIMIT ?)",
        SOFTWARE_KEPT,
    ),
    (
        "DELETE FROM sessions WHERE place IN (SELECT place FROM sessions WHERE place <= (SELECT max(place) FROM sessions) - ?"
        " AND NOT EXISTS (SELECT 1 FROM results WHERE id >> 40 = place) LIMIT ?)",
        SESSIONS_KEPT,
    ),
)


class Retention:
    """Deletes what has expired. `keep_days` gives the days for an evaluation."""

    def __init__(self, keep_days: Callable[[Evaluation], float]) -> None:
        self._keep_days = keep_days
        self._rested_at = -REST_NS
        self._next_bounded = 0

    def prune(self, connection: sqlite3.Connection, now_utc_ns: int, at_most: int) -> int:
        """Delete at most so many results, in one transaction; returns how many. Room in the file is used again.

        Raises:
            sqlite3.Error: nothing was deleted.
        """
        if abs(now_utc_ns - self._rested_at) < REST_NS:
            return 0
        ids: list[int] = []
        for evaluation, code in EVALUATIONS.items():
            before = now_utc_ns - int(self._keep_days(evaluation) * DAY_NS)
            ids += [row[0] for row in connection.execute(_OLD, (code, before, at_most - len(ids)))]
        if ids:
            _delete(connection, ids)
        if len(ids) < at_most:
            self._bound(connection, at_most)
            self._rested_at = now_utc_ns
        return len(ids)

    def _bound(self, connection: sqlite3.Connection, at_most: int) -> None:
        """Of one of the other tables, in turn, what is over its number of rows."""
        statement, kept = _BOUNDED[self._next_bounded]
        self._next_bounded = (self._next_bounded + 1) % len(_BOUNDED)
        connection.execute(statement, (kept, at_most))


def touch_oldest(connection: sqlite3.Connection) -> None:
    """Read the results that expire next, so that the ledger, which deletes them, does not wait for the disk to find them.

    Raises:
        sqlite3.Error: they cannot be read.
    """
    for code in EVALUATIONS.values():
        connection.execute(_TOUCH, (code, TOUCHED)).fetchall()


def _delete(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    newest: dict[int, int] = {}
    for result_id in ids:
        place = result_id >> SEQ_BITS
        newest[place] = max(newest.get(place, 0), result_id & SEQ_MASK)
    rows = [(result_id,) for result_id in ids]
    with transaction(connection):
        connection.executemany("DELETE FROM results WHERE id = ?", rows)
        connection.executemany("DELETE FROM images WHERE id = ?", rows)
        connection.executemany(
            "UPDATE sessions SET expired_seq = max(expired_seq, ?) WHERE place = ?",
            [(seq, place) for place, seq in newest.items()],
        )
