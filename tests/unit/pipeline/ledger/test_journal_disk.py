"""The journal on a disk that is full, away, or not ours to write: what does not fit is counted, and told."""

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.ledger import journal_waiting
from pipeline.ledger.account import Account
from pipeline.ledger.journal_reader import JournalReader
from pipeline.ledger.journal_rows import FrameKey
from pipeline.ledger.journal_waiting import Waiting
from tests.journals import DAY_NS, RING, all_gaps, all_rows, commit, opened, row


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A small file system of its own."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process grows over `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_fills_the_memory_and_is_caught_up_with_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with mounted(folder, "size=2m"):
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(1_000_000))
        with opened(folder) as journal:
            seq = 1
            while commit(journal, seq, size=3000):
                seq += 1
            assert 10 < seq < 1000
            assert journal.report().fault == f"{folder}/journal.db: the disk is full"
            assert journal.report().unwritten == 1
            assert not journal.commit([row(seq + 1)], [FrameKey(0, 5, seq + 1, 1)], {"": Account(seq + 1)})
            journal.retry()
            assert journal.report().unwritten == 2
            assert journal.published(RING, 0, 5) == [b"result %d" % (seq + 1)]
            assert journal.accounts() == {"": Account(seq + 1)}
            assert len(all_rows(folder)) == seq - 1
            ballast.unlink()
            assert not commit(journal, seq + 2)  # nothing is tried before the next retry
            journal.retry()
            assert journal.report().fault == ""
            assert journal.report().unwritten == 0
            assert commit(journal, seq + 3)
            assert [found for _, found, _ in all_rows(folder)] == list(range(1, seq + 4))
            assert all_gaps(folder) == []
        with opened(folder) as journal:
            assert journal.accounts() == {"": Account(seq + 1)}


def test_what_expires_makes_room_on_a_disk_that_is_full(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with mounted(folder, "size=12m"), opened(folder, keep_days=1.0) as journal:
        reader = JournalReader.open(folder, checkpoint_bytes=4 * 2**20)
        for seq in range(1, 501):
            assert commit(journal, seq, size=3000)
        assert reader.checkpoint() == ""
        with (folder / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(4096))
        for seq in range(501, 1501):
            assert journal.prune(3 * DAY_NS + seq * 2 * DAY_NS, 1) == 1
            assert commit(journal, seq, size=3000), journal.report()
            if seq % 50 == 0:
                assert reader.checkpoint() == ""
        reader.close()
        assert len(all_rows(folder)) == 500


def test_a_write_that_fails_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        commit(journal, 1)
        with largest_file((tmp_path / "journal.db-wal").stat().st_size + 10_000):
            assert not journal.commit(
                [row(seq, size=3000) for seq in range(2, 12)], [FrameKey(0, 1, 2, 10)], {"": Account(11)}
            )
            assert "the disk does not read or write" in journal.report().fault
            assert [seq for _, seq, _ in all_rows(tmp_path)] == [1]
        assert journal.report().unwritten == 10
        journal.amend([row(seq) for seq in range(2, 11)])
        journal.retry()
        assert journal.report().fault == ""
        payloads = [payload for _, _, payload in all_rows(tmp_path)]
        assert payloads == [b"result %d" % seq for seq in range(1, 11)] + [b"result 11" + b"." * 3000]


def test_memory_is_bounded_in_rows_and_bytes_and_the_loss_is_counted_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with mounted(folder, "size=200k"), opened(folder) as journal:
        seq = 1
        while commit(journal, seq, size=3000):
            seq += 1
        large = journal_waiting.MOST_BYTES // 10
        first_lost = seq
        for _ in range(20):
            seq += 1
            commit(journal, seq, size=large)
        report = journal.report()
        assert report.unwritten + report.forgotten == seq - first_lost + 1
        assert 8 <= report.unwritten <= 10
        subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)
        while journal.report().unwritten:
            journal.retry()
        assert journal.report().forgotten == report.forgotten
        gaps = all_gaps(folder)
        assert [(gap.first, gap.last) for gap in gaps] == [(first_lost, first_lost + report.forgotten - 1)]


def test_the_buffer_holds_so_many_rows_and_bytes() -> None:
    waiting = Waiting(most_rows=3, most_bytes=1000)
    waiting.add([row(seq) for seq in range(1, 6)], [], {})
    assert [kept.seq for kept in waiting.rows] == [3, 4, 5]
    waiting.add([row(6, size=2000)], [], {})
    assert list(waiting.rows) == []
    assert (waiting.forgotten, waiting.row_bytes) == (6, 0)


def test_a_long_backlog_is_written_in_short_turns(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with mounted(folder, "size=200k"), opened(folder) as journal:
        seq = 1
        while commit(journal, seq, size=3000):
            seq += 1
        journal.commit([row(number, size=500) for number in range(seq + 1, seq + 15_000)], [], {})
        subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)
        journal.retry()
        left = journal.report().unwritten
        assert 0 < left < 15_000
        assert not commit(journal, seq + 15_000)  # behind the others
        turns = 0
        while journal.report().unwritten:
            journal.retry()
            turns += 1
        assert turns > 1
        assert [number for _, number, _ in all_rows(folder)] == list(range(1, seq + 15_001))


def test_a_folder_that_may_only_be_read_is_told_and_the_station_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with mounted(folder, "size=2m,ro"), opened(folder) as journal:
        assert journal.session > 0
        assert not commit(journal, 1)
        assert journal.report().fault == f"{folder}/journal.db: read-only file system"
        assert journal.software("r", "plc", "A1", 1) == 1
        assert journal.known_software("r", "plc") == 1
        assert journal.software_open() == []
        assert journal.prune(1, 4) == 0
        assert journal.audits(3) == []
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        journal.retry()
        assert journal.report().fault == ""
        assert all_rows(folder) == [(journal.session, 1, b"result 1")]
        assert journal.software_open() == [(1, "A1")]


@pytest.mark.parametrize("what", ["the file", "the file and its -wal", "the folder"])
def test_what_is_removed_while_it_is_written_is_made_again(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "state"
    with opened(folder) as journal:
        journal.set_setting("recipe", "2")
        journal.commit([row(1)], [FrameKey(3, 8, 1, 1)], {"": Account(1, part_ids={5: "A"})})
        if what == "the folder":
            shutil.rmtree(folder)
        else:
            (folder / "journal.db").unlink()
            if what == "the file and its -wal":
                (folder / "journal.db-wal").unlink()
        assert commit(journal, 2)
        assert all_rows(folder) == [(journal.session, 2, b"result 2")]
        assert journal.published(RING, 3, 8) == []  # answered still
    with opened(folder) as journal:
        assert journal.accounts() == {"": Account(1, part_ids={5: "A"})}
        assert journal.setting("recipe") == "2"
        assert [seq for _, seq, _ in all_rows(folder)] == [2]


def test_another_journal_in_its_place_is_gone_on_with(tmp_path: Path) -> None:
    with opened(tmp_path / "old") as old:
        commit(old, 1, 2)
    with opened(tmp_path / "state", ring_session=old.session) as journal:
        commit(journal, 1)
        for suffix in ("", "-wal", "-shm"):
            (tmp_path / "state" / f"journal.db{suffix}").unlink()
        shutil.copy(tmp_path / "old" / "journal.db", tmp_path / "state" / "journal.db")
        assert commit(journal, 2)
        assert [(session, seq) for session, seq, _ in all_rows(tmp_path / "state")] == [
            (old.session, 1),
            (old.session, 2),
            (journal.session, 2),
        ]


def test_a_lock_of_another_process_is_waited_for_a_moment_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        holder = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert not commit(journal, 1)
        for seq in range(2, 200):
            assert not commit(journal, seq)
        assert time.monotonic() - began < 5.0  # not 200 times the wait
        assert journal.report().fault.endswith("another process holds it")
        holder.execute("ROLLBACK")
        holder.close()
        journal.retry()
        assert commit(journal, 200)
        assert [seq for _, seq, _ in all_rows(tmp_path)] == list(range(1, 201))
