"""Which results are no longer in the journal, or never were. What may still come is no gap."""

import sqlite3
from collections.abc import Iterable

from pipeline.ledger.journal_schema import SEQ_BITS, SEQ_MASK
from pipeline.requests import Gap


class GapFinder:
    """Walks along the rows in the order of (session, seq) and tells what is missing between them.

    `place` and `seq` are where it stands: what is at and before them is covered.
    """

    def __init__(self, connection: sqlite3.Connection, place: int, seq: int) -> None:
        self._connection = connection
        self.place = place
        self.seq = seq

    def step(self, result_id: int) -> list[Gap]:
        """Go on to a result that is there; returns what is not, between the last one and it."""
        place, seq = result_id >> SEQ_BITS, result_id & SEQ_MASK
        gaps = self._leave_for(place) if place != self.place else []
        if seq > self.seq + 1:
            gaps.append(Gap(self.session(), self.seq + 1, seq - 1))
        self.seq = seq
        return gaps

    def end(self) -> list[Gap]:
        """After the last row: what has expired behind it."""
        newest = self._connection.execute("SELECT max(place) FROM sessions WHERE expired_seq > 0").fetchone()[0] or 0
        gaps = self._leave_for(newest) if newest > self.place else []
        return gaps + self._tail()

    def session(self) -> int:
        """The session where it stands."""
        return int(
            self._connection.execute("SELECT session FROM sessions WHERE place = ?", (self.place,)).fetchone()[0]
        )

    def _leave_for(self, place: int) -> list[Gap]:
        """The rest of this session, and all of those before that of `place`, where it then stands."""
        gaps = self._tail()
        between = self._connection.execute(
            "SELECT session, expired_seq FROM sessions WHERE place > ? AND place < ? AND expired_seq > 0 ORDER BY place",
            (self.place, place),
        )
        gaps += [Gap(session, 1, expired) for session, expired in between]
        self.place, self.seq = place, 0
        return gaps

    def _tail(self) -> list[Gap]:
        found = self._connection.execute(
            "SELECT session, expired_seq FROM sessions WHERE place = ? AND expired_seq > ?", (self.place, self.seq)
        ).fetchone()
        if found is None:
            return []
        gap = Gap(found[0], self.seq + 1, found[1])
        self.seq = found[1]
        return [gap]


def joined(gaps: Iterable[Gap]) -> list[Gap]:
    """Gaps in order, those that touch made one."""
    found: list[Gap] = []
    for gap in gaps:
        if found and found[-1].session == gap.session and found[-1].last + 1 == gap.first <= gap.last:
            found[-1] = Gap(gap.session, found[-1].first, gap.last)
        else:
            found.append(gap)
    return found
