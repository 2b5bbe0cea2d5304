"""What the journal has not written yet: a bounded buffer in memory. Pure; nothing is read or written here."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pipeline.ledger.account import Account
from pipeline.ledger.journal_rows import FrameKey, Row

MOST_ROWS = 20_000
MOST_BYTES = 64 * 2**20
MOST_NOTES = 2_000


@dataclass(frozen=True, slots=True)
class Note:
    """One statement of what is seldom written: audit, settings, images, software triggers."""

    statement: str
    values: tuple[int | str | None, ...]


@dataclass(slots=True)
class Waiting:
    """Rows and notes in order, the oldest forgotten first; of frames and accounts the newest of each."""

    most_rows: int = MOST_ROWS
    most_bytes: int = MOST_BYTES
    rows: deque[Row] = field(default_factory=deque)
    row_bytes: int = 0
    frames: dict[int, FrameKey] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    drops_accounts: bool = False
    notes: deque[Note] = field(default_factory=lambda: deque(maxlen=MOST_NOTES))
    forgotten: int = 0

    def add(self, rows: Iterable[Row], frames: Iterable[FrameKey], accounts: Mapping[str, Account]) -> None:
        """Take what is to be written; where there is no room the oldest rows are forgotten, and counted."""
        for row in rows:
            self.rows.append(row)
            self.row_bytes += len(row.payload)
        while self.rows and (len(self.rows) > self.most_rows or self.row_bytes > self.most_bytes):
            self.row_bytes -= len(self.rows.popleft().payload)
            self.forgotten += 1
        self.frames.update((frame.slot, frame) for frame in frames)
        self.accounts.update(accounts)

    def amend(self, rows: Iterable[Row]) -> None:
        """Put these in the place of those with the same number that still wait."""
        changed = {row.seq: row for row in rows}
        self.row_bytes += sum(
            len(changed[row.seq].payload) - len(row.payload) for row in self.rows if row.seq in changed
        )
        self.rows = deque(changed.get(row.seq, row) for row in self.rows)

    def drop_accounts(self) -> None:
        """Forget every account, those that are written too."""
        self.accounts.clear()
        self.drops_accounts = True

    def first_rows(self, count: int) -> list[Row]:
        """The oldest rows."""
        return list(islice(self.rows, count))

    def settled_frames(self, rows: Sequence[Row]) -> list[FrameKey]:
        """The frames whose answers are all among these oldest rows, or on the disk already."""
        if len(rows) == len(self.rows):
            return list(self.frames.values())
        last = rows[-1].seq if rows else 0
        return [frame for frame in self.frames.values() if frame.seq + frame.count - 1 <= last]

    def written(self, rows: Sequence[Row]) -> None:
        """These oldest rows and their frames are on the disk, and all notes; with the last rows everything else is, too."""
        for frame in self.settled_frames(rows):
            del self.frames[frame.slot]
        self.notes.clear()
        for _ in rows:
            self.row_bytes -= len(self.rows.popleft().payload)
        if not self.rows:
            self.accounts.clear()
            self.drops_accounts = False

    @property
    def is_empty(self) -> bool:
        """Whether all is on the disk."""
        return not (self.rows or self.frames or self.accounts or self.notes or self.drops_accounts)
