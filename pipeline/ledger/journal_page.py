"""A page of results after a cursor, as `replay` gives it."""

import sqlite3
import zlib

from pipeline.ledger.journal_gaps import GapFinder, joined
from pipeline.ledger.journal_rows import Page
from pipeline.ledger.journal_schema import SEQ_BITS, SEQ_MASK, result_id
from pipeline.requests import Gap

LARGEST_PAGE_BYTES = 8 * 2**20
MOST_GAPS = 1_000  # in one page


def read_page(connection: sqlite3.Connection, session: int, seq: int, limit: int) -> Page:
    """The results after (session, seq), at most `limit`. Raises sqlite3.Error."""
    finder, gaps = _stand(connection, session, seq)
    start = finder.place, finder.seq
    payloads: list[bytes] = []
    size = 0
    more = False
    for row_id, crc, payload in connection.execute(
        "SELECT id, crc, payload FROM results WHERE id > ? ORDER BY id", (result_id(*start),)
    ):
        if len(payloads) >= limit or size > LARGEST_PAGE_BYTES or len(gaps) >= MOST_GAPS:
            more = True
            break
        gaps += finder.step(row_id)
        if zlib.crc32(payload) == crc:
            payloads.append(payload)
            size += len(payload)
        else:  # damaged on the disk
            gaps.append(Gap(finder.session(), finder.seq, finder.seq))
    else:
        gaps += finder.end()
    if (finder.place, finder.seq) != start:
        session, seq = finder.session(), finder.seq
    return Page(payloads, session, seq, more, joined(gaps))


def _stand(connection: sqlite3.Connection, session: int, seq: int) -> tuple[GapFinder, list[Gap]]:
    """Where to begin, and what cannot be told of before that."""
    if session == 0:
        oldest = connection.execute("SELECT min(id) FROM results").fetchone()[0] or 1
        return GapFinder(connection, oldest >> SEQ_BITS, (oldest & SEQ_MASK) - 1), []
    found = connection.execute(
        "SELECT place, session FROM sessions WHERE session <= ? ORDER BY session DESC LIMIT 1", (session,)
    ).fetchone()
    if found is not None and found[1] == session:
        return GapFinder(connection, found[0], min(seq, SEQ_MASK)), []
    finder = GapFinder(connection, found[0], SEQ_MASK) if found is not None else GapFinder(connection, 0, 0)
    newer = connection.execute("SELECT 1 FROM sessions WHERE session > ? LIMIT 1", (session,)).fetchone()
    return finder, [Gap(session, seq + 1, seq)] if newer is not None else []
