"""Journals and rows for tests that need some."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.ledger.journal import Journal
from pipeline.ledger.journal_export import Exported, Span
from pipeline.ledger.journal_reader import JournalReader
from pipeline.ledger.journal_rows import Row
from pipeline.requests import Gap
from pipeline.result import Evaluation

RING = 2**62 + 5
DAY_NS = 86_400_000_000_000


def row(
    seq: int, evaluation: Evaluation = Evaluation.OK, *, utc_ns: int = 1_000, size: int = 0, software: int = 0
) -> Row:
    """A row whose payload tells its number; `size` makes it longer."""
    return Row(seq, utc_ns, evaluation, seq, "", b"result %d" % seq + b"." * size, software)


def commit(journal: Journal, *seqs: int, size: int = 0) -> bool:
    """Commit rows of these numbers in one transaction."""
    return journal.commit([row(seq, size=size) for seq in seqs], [], {})


@contextmanager
def opened(folder: Path, *, ring_session: int = 0, keep_days: float = 10_000.0) -> Iterator[Journal]:
    """A journal, closed in order at the end."""
    journal = Journal.open(folder, RING, ring_session, lambda _evaluation: keep_days)
    try:
        yield journal
    finally:
        journal.close()


def all_rows(folder: Path) -> list[tuple[int, int, bytes]]:
    """(session, seq, payload) of every result in the journal, in order."""
    reader = JournalReader.open(folder)
    try:
        return [
            (found.session, found.seq, found.payload) for found in reader.export(Span()) if isinstance(found, Exported)
        ]
    finally:
        reader.close()


def all_gaps(folder: Path) -> list[Gap]:
    """Every gap in the journal."""
    reader = JournalReader.open(folder)
    try:
        return [found for found in reader.export(Span()) if isinstance(found, Gap)]
    finally:
        reader.close()
