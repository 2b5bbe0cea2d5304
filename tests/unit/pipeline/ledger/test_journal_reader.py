"""Readers: pages after a cursor, gaps told, and checkpoints that do not disturb."""

from pathlib import Path

import pytest

from pipeline.ledger import journal_page
from pipeline.ledger.journal_reader import JournalReader
from pipeline.ledger.journal_rows import Page
from pipeline.requests import Gap
from tests.journals import DAY_NS, commit, opened, row


def numbers(page: Page) -> list[int]:
    return [int(payload.split()[1].rstrip(b".")) for payload in page.payloads]


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    reader = JournalReader.open(tmp_path)
    assert reader.page(7, 5, 10) == Page([], 7, 5, more=False, expired=[])
    assert reader.audits(5) == []
    assert reader.checkpoint() == ""
    with opened(tmp_path) as journal:
        commit(journal, 1)
        assert numbers(reader.page(0, 0, 10)) == [1]
    reader.close()


def test_pages_go_on_where_the_last_one_ended_through_sessions(tmp_path: Path) -> None:
    sessions = []
    for _ in range(2):
        with opened(tmp_path) as journal:
            commit(journal, 1, 2, 3)
            sessions.append(journal.session)
    reader = JournalReader.open(tmp_path)
    first = reader.page(0, 0, 2)
    assert (numbers(first), first.session, first.seq, first.more) == ([1, 2], sessions[0], 2, True)
    second = reader.page(first.session, first.seq, 2)
    assert (numbers(second), second.session, second.seq, second.more) == ([3, 1], sessions[1], 1, True)
    third = reader.page(second.session, second.seq, 2)
    assert (numbers(third), third.session, third.seq, third.more) == ([2, 3], sessions[1], 3, False)
    assert reader.page(third.session, third.seq, 2) == Page([], sessions[1], 3, more=False, expired=[])
    reader.close()


def test_a_page_is_bounded_in_bytes(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        commit(journal, *range(1, 11), size=journal_page.LARGEST_PAGE_BYTES // 3)
        page = JournalReader.open(tmp_path).page(0, 0, 100)
        assert 3 <= len(page.payloads) <= 4
        assert page.more


def test_what_has_expired_in_this_and_earlier_sessions_is_told(tmp_path: Path) -> None:
    with opened(tmp_path, keep_days=1.0) as journal:
        commit(journal, 1, 2, 3)
        first = journal.session
    with opened(tmp_path, keep_days=1.0) as journal:
        commit(journal, 1, 2)
        journal.commit([row(3, utc_ns=5 * DAY_NS)], [], {})
        assert journal.prune(3 * DAY_NS, 100) == 5
        page = JournalReader.open(tmp_path).page(first, 1, 10)
        assert numbers(page) == [3]
        assert page.expired == [Gap(first, 2, 3), Gap(journal.session, 1, 2)]
        journal.prune(9 * DAY_NS, 100)
        page = JournalReader.open(tmp_path).page(first, 1, 10)
        assert (page.session, page.seq, page.more) == (journal.session, 3, False)
        assert page.expired == [Gap(first, 2, 3), Gap(journal.session, 1, 3)]


def test_a_number_that_was_never_written_is_a_gap_once_a_newer_one_is_there(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        reader = JournalReader.open(tmp_path)
        commit(journal, 1)
        assert reader.page(journal.session, 1, 10).expired == []
        commit(journal, 5)
        assert reader.page(journal.session, 1, 10).expired == [Gap(journal.session, 2, 4)]
        reader.close()


@pytest.mark.parametrize("offset", [-5, 5])
def test_a_session_that_the_journal_does_not_know(tmp_path: Path, offset: int) -> None:
    with opened(tmp_path) as journal:
        commit(journal, 1)
        session = journal.session + offset
        page = JournalReader.open(tmp_path).page(session, 9, 10)
        if offset < 0:
            assert page.expired == [Gap(session, 10, 9)]
            assert numbers(page) == [1]
        else:
            assert page == Page([], session, 9, more=False, expired=[])


def test_checkpoints_move_what_has_been_written_into_the_file(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        reader = JournalReader.open(tmp_path, checkpoint_bytes=200_000)
        before = (tmp_path / "journal.db").stat().st_size
        commit(journal, 1, size=3000)
        assert reader.checkpoint() == ""
        assert (tmp_path / "journal.db").stat().st_size == before  # too little to be worth it
        for seq in range(2, 60):
            commit(journal, seq, size=3000)
        assert reader.checkpoint() == ""
        assert (tmp_path / "journal.db").stat().st_size > 59 * 3000
        size = (tmp_path / "journal.db-wal").stat().st_size
        for seq in range(60, 70):
            commit(journal, seq, size=3000)
        assert (tmp_path / "journal.db-wal").stat().st_size == size  # begun again from its start
        reader.close()
