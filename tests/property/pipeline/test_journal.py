"""The journal under any order of commits, expiry, checkpoints and crashes, against what was told to it."""

import shutil
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipeline.ledger.account import Account
from pipeline.ledger.journal import Journal
from pipeline.ledger.journal_export import Exported, Span
from pipeline.ledger.journal_reader import JournalReader
from pipeline.ledger.journal_rows import FrameKey, Row
from pipeline.ledger.journal_waiting import Waiting
from pipeline.requests import Gap
from pipeline.result import Evaluation
from tests.journals import DAY_NS, RING

DAYS = {Evaluation.OK: 1.0, Evaluation.NOT_OK: 3.0, Evaluation.UNDEFINED: 3.0, Evaluation.NOT_DECIDABLE: 2.0}
evaluations = st.sampled_from(list(Evaluation))
Identity = tuple[int, int]


class Ledgers(RuleBasedStateMachine):
    """One ledger after another writes; a reader that stays looks on."""

    @initialize()
    def build(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="journal-"))
        self.folder = self.root / "0"
        self.now = 10 * DAY_NS
        self.rows: dict[Identity, Row] = {}
        self.answered: set[Identity] = set()
        self.frames: dict[int, tuple[int, Identity, int]] = {}
        self.accounts: dict[str, Account] = {}
        self.session = 0
        self.open()

    def open(self) -> None:
        self.journal = Journal.open(self.folder, RING, self.session, DAYS.__getitem__)
        assert self.journal.session > self.session
        self.session, self.seq = self.journal.session, 0
        self.reader = JournalReader.open(self.folder, checkpoint_bytes=0)
        assert self.journal.accounts() == self.accounts

    @rule(kinds=st.lists(evaluations, max_size=4), slot=st.integers(0, 3), size=st.sampled_from([0, 100, 9000]))
    def commit(self, kinds: list[Evaluation], slot: int, size: int) -> None:
        self.now += DAY_NS // 20
        first = self.seq + 1
        rows = [
            Row(first + n, self.now, kind, None, "", b"%d %d " % (self.session, first + n) + b"x" * size)
            for n, kind in enumerate(kinds)
        ]
        self.seq += len(rows)
        account = Account(self.seq, part_ids={self.seq + n: str(n) for n in range(len(kinds))})
        generation = self.frames.get(slot, (0,))[0] + 1
        frames = [FrameKey(slot, generation, first, len(rows))] if rows else []
        assert self.journal.commit(rows, frames, {f"camera {slot}": account})
        self.accounts[f"camera {slot}"] = account
        if rows:
            self.frames[slot] = generation, (self.session, first), len(rows)
        for row in rows:
            self.rows[self.session, row.seq] = row
            self.answered.add((self.session, row.seq))

    @rule(at_most=st.integers(1, 12), days=st.sampled_from([0.0, 0.5, 2.0, 5.0]))
    def prune(self, at_most: int, days: float) -> None:
        self.now += int(days * DAY_NS)
        due = {
            identity
            for identity, row in self.rows.items()
            if row.utc_ns < self.now - int(DAYS[row.evaluation] * DAY_NS)
        }
        deleted = self.journal.prune(self.now, at_most)
        kept = {(found.session, found.seq) for found in self.reader.export(Span()) if isinstance(found, Exported)}
        gone = set(self.rows) - kept
        assert gone <= due
        assert len(gone) == deleted <= at_most
        for identity in gone:
            del self.rows[identity]

    @rule()
    def checkpoint(self) -> None:
        assert self.reader.checkpoint() == ""

    @rule(orderly=st.booleans())
    def restart(self, orderly: bool) -> None:
        """In order, or as kill -9 leaves the files."""
        after = self.root / str(int(self.folder.name) + 1)
        if orderly:
            self.journal.close()
        shutil.copytree(self.folder, after)
        self.journal.close()
        self.reader.close()
        shutil.rmtree(self.folder)
        self.folder = after
        self.open()

    @rule(data=st.data(), limit=st.integers(1, 5))
    def replay(self, data: st.DataObject, limit: int) -> None:
        """From any cursor: what comes after it is given or told to be gone, each once, in order."""
        cursor = data.draw(st.sampled_from([(0, 0), *sorted(self.answered)]))
        given: list[Identity] = []
        gone: list[Identity] = []
        session, seq = cursor
        for _ in range(500):
            page = self.reader.page(session, seq, limit)
            assert len(page.payloads) <= limit
            given += [tuple(map(int, payload.split()[:2])) for payload in page.payloads]  # type: ignore[misc]  # two numbers each
            gone += [(gap.session, one) for gap in page.expired for one in range(gap.first, gap.last + 1)]
            assert (page.session, page.seq) >= (session, seq)
            session, seq = page.session, page.seq
            if not page.more:
                break
        else:
            raise AssertionError("never came to the end")
        start = min(self.rows, default=cursor) if cursor == (0, 0) else cursor
        expected = {identity for identity in self.answered if identity > cursor and identity >= start}
        assert given == sorted(identity for identity in self.rows if identity > cursor)
        if cursor != (0, 0) or self.rows:
            assert sorted(gone) == sorted(expected - set(self.rows))

    @invariant()
    def what_is_answered_is_known(self) -> None:
        for slot, (generation, (session, first), count) in self.frames.items():
            rows = [self.rows.get((session, first + n)) for n in range(count)]
            expected = [row.payload for row in rows if row is not None]
            assert self.journal.published(RING, slot, generation) == expected
            assert self.journal.published(RING, slot, generation + 1) is None
        assert self.journal.accounts() == self.accounts

    @invariant()
    def export_gives_every_row_in_order(self) -> None:
        found = list(self.reader.export(Span()))
        rows = [(one.session, one.seq, one.payload) for one in found if isinstance(one, Exported)]
        assert rows == [(*identity, self.rows[identity].payload) for identity in sorted(self.rows)]
        places = [(one.session, one.first if isinstance(one, Gap) else one.seq) for one in found]
        assert all(before < after for before, after in pairwise(places))

    def teardown(self) -> None:
        self.journal.close()
        self.reader.close()
        shutil.rmtree(self.root)


TestLedgers = Ledgers.TestCase
TestLedgers.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


class Memory(RuleBasedStateMachine):
    """The buffer: never over its bounds, the newest kept, every row written, waiting or forgotten."""

    @initialize(rows=st.integers(1, 6), size=st.integers(1, 60))
    def build(self, rows: int, size: int) -> None:
        self.waiting = Waiting(most_rows=rows, most_bytes=size)
        self.next = 1
        self.written = 0

    @rule(sizes=st.lists(st.integers(0, 30), max_size=4))
    def add(self, sizes: list[int]) -> None:
        rows = [Row(self.next + n, 0, Evaluation.OK, None, "", bytes(size)) for n, size in enumerate(sizes)]
        self.next += len(rows)
        self.waiting.add(rows, [], {"": Account(self.next)})

    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        rows = self.waiting.first_rows(data.draw(st.integers(0, 3)))
        self.waiting.written(rows)
        self.written += len(rows)

    @rule(data=st.data(), size=st.integers(0, 30))
    def amend(self, data: st.DataObject, size: int) -> None:
        if self.waiting.rows:
            row = data.draw(st.sampled_from(list(self.waiting.rows)))
            self.waiting.amend([Row(row.seq, 1, row.evaluation, None, "", bytes(size))])
            assert [bytes(size)] == [kept.payload for kept in self.waiting.rows if kept.seq == row.seq]

    @invariant()
    def nothing_is_unaccounted_for(self) -> None:
        waiting = self.waiting
        seqs = [row.seq for row in waiting.rows]
        assert seqs == list(range(self.next - len(seqs), self.next))
        assert waiting.row_bytes == sum(len(row.payload) for row in waiting.rows)
        assert self.next - 1 == self.written + len(seqs) + waiting.forgotten
        assert len(seqs) <= waiting.most_rows


TestMemory = Memory.TestCase
TestMemory.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)
