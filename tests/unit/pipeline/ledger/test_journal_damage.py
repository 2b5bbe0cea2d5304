"""A damaged journal is put aside, never deleted, and a fresh one goes on with a higher session."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import JournalError
from pipeline.ledger.account import Account
from pipeline.ledger.journal import Journal
from pipeline.ledger.journal_file import JournalFile
from pipeline.ledger.journal_reader import JournalReader
from pipeline.ledger.journal_rows import FrameKey
from tests.journals import RING, all_gaps, all_rows, commit, opened, row


def left_by_a_killed_ledger(folder: Path, *, moved: bool) -> int:
    """A journal with 300 rows, which lie in the file (`moved`) or in its -wal; returns the session."""
    journal = Journal.open(folder, RING, 0, lambda _: 10_000.0)
    for seq in range(1, 301):
        commit(journal, seq, size=3000)
    parts = {path.name: path.read_bytes() for path in folder.glob("journal.db*")}
    journal.close()
    if not moved:
        for name, content in parts.items():
            (folder / name).write_bytes(content)
    return journal.session


def overwrite(start: float, length: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(int(path.stat().st_size * start))
            file.write(b"\xa5" * length)

    return change


def cut(share: float) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, int(path.stat().st_size * share))


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def become_text(path: Path) -> None:
    path.write_text("this is no database\n" * 1000)


def become_another_database(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE results (id INTEGER)")
    connection.close()


def vanish(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("part", "moved", "damage"),
    [
        pytest.param("", True, overwrite(0, 100), id="header"),
        pytest.param("", True, overwrite(0, 4096 * 20), id="first pages"),
        pytest.param("", True, cut(0.5), id="half of it"),
        pytest.param("", True, cut(0.001), id="a stump"),
        pytest.param("", True, become_a_folder, id="a folder"),
        pytest.param("", True, become_text, id="text"),
        pytest.param("", True, become_another_database, id="another database"),
        pytest.param("", False, cut(0.0), id="no byte, with a -wal"),
        pytest.param("", False, vanish, id="a -wal alone"),
        pytest.param("-wal", False, overwrite(0, 32), id="header of the -wal"),
        pytest.param("-wal", False, become_text, id="a -wal of text"),
        pytest.param("-wal", False, become_a_folder, id="a -wal that is a folder"),
    ],
)
def test_what_is_damaged_at_the_start_is_put_aside(
    tmp_path: Path, part: str, moved: bool, damage: Callable[[Path], None]
) -> None:
    old = left_by_a_killed_ledger(tmp_path, moved=moved)
    damage(tmp_path / f"journal.db{part}")
    before = {
        path.name: path.read_bytes()
        for path in tmp_path.glob("journal.db*")
        if path.is_file() and not path.name.endswith("-shm")
    }
    with opened(tmp_path) as journal:
        assert journal.session > old
        assert journal.report().fault == ""
        aside = Path(journal.report().set_aside)
        assert aside.name.startswith("journal.corrupt-")
        for name, content in before.items():
            assert (tmp_path / name.replace("journal.db", aside.name)).read_bytes() == content
        assert commit(journal, 1)
        assert all_rows(tmp_path) == [(journal.session, 1, b"result 1")]


def test_an_empty_file_is_a_journal_to_be(tmp_path: Path) -> None:
    (tmp_path / "journal.db").touch()
    with opened(tmp_path) as journal:
        assert commit(journal, 1)
        assert journal.report().set_aside == ""


def test_frames_at_the_end_of_the_wal_that_were_not_written_whole_are_as_if_never_committed(tmp_path: Path) -> None:
    left_by_a_killed_ledger(tmp_path, moved=False)
    overwrite(0.9, 4096)(tmp_path / "journal.db-wal")
    with opened(tmp_path) as journal:
        assert journal.report().set_aside == ""
        assert commit(journal, 1)
        old = [(seq, payload) for session, seq, payload in all_rows(tmp_path) if session != journal.session]
        assert 250 < len(old) < 300
        assert old == [(seq, b"result %d" % seq + b"." * 3000) for seq in range(1, len(old) + 1)]


def test_a_page_that_is_found_broken_later_puts_the_journal_aside_then(tmp_path: Path) -> None:
    left_by_a_killed_ledger(tmp_path, moved=True)
    with opened(tmp_path, keep_days=0.0) as journal:
        journal.set_setting("recipe", "7")
        journal.commit([row(1)], [FrameKey(2, 3, 1, 1)], {"": Account(9, part_ids={10: "A"})})
        with sqlite3.connect(tmp_path / "journal.db") as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.close()
        overwrite(0.05, 4096 * 250)(tmp_path / "journal.db")
        journal.prune(2**60, 100)
        aside = journal.report().set_aside
        assert Path(aside).is_file()
        assert commit(journal, 2)
        assert all_rows(tmp_path) == [(journal.session, 2, b"result 2")]
        assert journal.published(RING, 2, 3) == []
        assert [(gap.first, gap.last) for gap in all_gaps(tmp_path)] == [(1, 1)]
    with opened(tmp_path) as journal:
        assert journal.accounts() == {"": Account(9, part_ids={10: "A"})}
        assert journal.setting("recipe") == "7"


def test_a_broken_payload_is_a_gap_and_never_given_as_a_result(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.commit([row(1), row(2, size=20_000), row(3)], [FrameKey(0, 1, 2, 1)], {})
    path = tmp_path / "journal.db"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"." * 2000, b"." * 1999 + b"!"))
    assert [seq for _, seq, _ in all_rows(tmp_path)] == [1, 3]
    assert [(gap.first, gap.last) for gap in all_gaps(tmp_path)] == [(2, 2)]
    page = JournalReader.open(tmp_path).page(journal.session, 0, 10)
    assert page.payloads == [b"result 1", b"result 3"]
    assert [(gap.first, gap.last) for gap in page.expired] == [(2, 2)]
    with opened(tmp_path) as journal:
        assert journal.published(RING, 0, 1) == []
        assert journal.young(0) == [b"result 1", b"result 3"]


def test_a_disk_that_damages_every_file_is_told_and_does_not_fill_the_folder(tmp_path: Path) -> None:
    file = JournalFile(tmp_path)
    for _ in range(3):
        (tmp_path / "journal.db").write_text("no database")
        file.open(1.0)
        file.close()
    (tmp_path / "journal.db").write_text("no database")
    with pytest.raises(OSError, match="again and again"):
        file.open(1.0)
    file.release()
    assert len(list(tmp_path.glob("journal.corrupt-*.db"))) == 3


def test_a_reader_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    become_text(tmp_path / "journal.db")
    with pytest.raises(JournalError, match=r"journal\.db: .*not a database"):
        JournalReader.open(tmp_path).page(0, 0, 10)
    become_another_database(tmp_path / "journal.db")
    with pytest.raises(JournalError, match=r"journal\.db: is no journal of version 1"):
        JournalReader.open(tmp_path).page(0, 0, 10)


def test_a_reader_sees_the_fresh_journal_after_the_old_one_was_put_aside(tmp_path: Path) -> None:
    old = left_by_a_killed_ledger(tmp_path, moved=True)
    reader = JournalReader.open(tmp_path)
    assert len(reader.page(0, 0, 1000).payloads) == 300
    become_text(tmp_path / "journal.db")
    with opened(tmp_path) as journal:
        commit(journal, 1)
        page = reader.page(old, 300, 10)
        assert page.payloads == [b"result 1"]
        assert [(gap.session, gap.first, gap.last) for gap in page.expired] == [(old, 301, 300)]
        reader.close()
