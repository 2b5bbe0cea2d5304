"""Every result of a span of time, a stretch of rows at a time."""

import sqlite3
import zlib
from dataclasses import dataclass

from pipeline.ledger.journal_gaps import GapFinder
from pipeline.ledger.journal_schema import EVALUATIONS, SEQ_BITS, SEQ_MASK, result_id
from pipeline.requests import Gap
from pipeline.result import Evaluation

ROWS_A_STRETCH = 200  # each is a read of its own, so that the -wal can be emptied meanwhile
END_OF_TIME_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Exported:
    """One result of an export."""

    session: int
    seq: int
    utc_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Span:
    """Which results: answered from `since_utc_ns` on and before `until_utc_ns`, with one of these evaluations."""

    since_utc_ns: int = 0
    until_utc_ns: int = END_OF_TIME_NS
    evaluations: frozenset[Evaluation] = frozenset(Evaluation)


@dataclass(frozen=True, slots=True)
class Position:
    """Where an export stands: (place, seq) is covered, and its rows end with `last_id`."""

    place: int
    seq: int
    last_id: int


def first_position(connection: sqlite3.Connection, span: Span) -> Position | None:
    """Where the span begins; None where nothing was answered in it. Raises sqlite3.Error."""
    found = [
        connection.execute(
            "SELECT min(id), max(id) FROM results INDEXED BY results_by_age "
            "WHERE evaluation = ? AND utc_ns >= ? AND utc_ns < ?",
            (code, span.since_utc_ns, span.until_utc_ns),
        ).fetchone()
        for code in EVALUATIONS.values()
    ]
    first = min((least for least, _ in found if least is not None), default=None)
    last = max((most for _, most in found if most is not None), default=0)
    place = connection.execute(
        "SELECT min(place) FROM sessions WHERE began_utc_ns >= ? AND began_utc_ns < ?",
        (span.since_utc_ns, span.until_utc_ns),
    ).fetchone()[0]
    if first is None:
        return Position(place, 0, 0) if place is not None else None
    if place is not None and place <= first >> SEQ_BITS:
        return Position(place, 0, last)
    return Position(first >> SEQ_BITS, (first & SEQ_MASK) - 1, last)


def read_stretch(
    connection: sqlite3.Connection, span: Span, position: Position
) -> tuple[list[Exported | Gap], Position | None]:
    """The results of the next rows, with the gaps between them, and where to go on. Raises sqlite3.Error."""
    codes = {EVALUATIONS[evaluation] for evaluation in span.evaluations}
    finder = GapFinder(connection, position.place, position.seq)
    found: list[Exported | Gap] = []
    rows = connection.execute(
        "SELECT id, utc_ns, crc, CASE WHEN evaluation IN (?, ?, ?, ?) AND utc_ns >= ? AND utc_ns < ? THEN payload END "
        "FROM results WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
        (
            *(code if code in codes else -1 for code in EVALUATIONS.values()),
            span.since_utc_ns,
            span.until_utc_ns,
            result_id(position.place, position.seq),
            position.last_id,
            ROWS_A_STRETCH,
        ),
    ).fetchall()
    for row_id, utc_ns, crc, payload in rows:
        found += finder.step(row_id)
        if payload is None:
            continue
        if zlib.crc32(payload) == crc:
            found.append(Exported(finder.session(), finder.seq, utc_ns, payload))
        else:
            found.append(Gap(finder.session(), finder.seq, finder.seq))
    if len(rows) == ROWS_A_STRETCH:
        return found, Position(finder.place, finder.seq, position.last_id)
    if span.until_utc_ns == END_OF_TIME_NS:
        found += finder.end()
    return found, None
