"""The journal with real processes: a writer that is killed at any moment, and readers that stand still at the worst one."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.ledger.account import Account
from pipeline.ledger.journal_reader import LARGEST_WAL_BYTES, JournalReader
from tests.journals import RING, all_gaps, all_rows, commit, opened

KILLS = 25

# Says on its standard output what it has committed: session, first and last number, once commit() has returned.
WRITER = """
import sys, time
from pathlib import Path
from pipeline.ledger.account import Account
from pipeline.ledger.journal import Journal
from pipeline.ledger.journal_rows import FrameKey, Row
from pipeline.result import Evaluation
folder, ring, ring_session, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
journal = Journal.open(folder, ring, ring_session, lambda evaluation: 0.00001 if evaluation is Evaluation.OK else 1.0)
through = journal.accounts()[""].through if journal.accounts() else 0
sys.stdout.write(f"{journal.session} 0 0 {through}\\n"); sys.stdout.flush()
seq = 0
while True:
    count = 1 + (seed + seq) % 3
    rows = [
        Row(seq + n, time.time_ns(), Evaluation.NOT_OK, through + n, "", b"%d-%d." % (journal.session, seq + n) * 200)
        for n in range(1, count + 1)
    ]
    frames = [FrameKey(seq % 7, journal.session * 1000 + seq, seq + 1, count)]
    written = journal.commit(rows, frames, {"": Account(through + count, part_ids={through + count + 1: "next"})})
    seq, through = seq + count, through + count
    if written:
        sys.stdout.write(f"{journal.session} {seq - count + 1} {seq} {through}\\n"); sys.stdout.flush()
    journal.prune(time.time_ns(), 4)
    if seq % 50 < 3:
        journal.set_setting("at", str(seq)); journal.audit(seq, "peer", "what", "before", "after")
"""

CHECKPOINTER = """
import sys, time
from pathlib import Path
from pipeline.ledger.journal_reader import JournalReader
reader = JournalReader.open(Path(sys.argv[1]), checkpoint_bytes=100_000)
print("ready", flush=True)
while True:
    fault = reader.checkpoint()
    if fault:
        print(fault, flush=True)
    reader.page(0, 0, 100)
    time.sleep(0.003)
"""

STUCK_READER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN")
print(connection.execute("SELECT count(*) FROM results").fetchone()[0], flush=True)
time.sleep(1000)
"""


@contextmanager
def running(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process, ended with kill -9 wherever it is."""
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def told_by(process: subprocess.Popen[str]) -> list[tuple[int, ...]]:
    """The whole lines that a killed writer has said."""
    assert process.stdout
    text = process.stdout.read()
    return [tuple(map(int, line.split())) for line in text.split("\n")[:-1]]


def test_kill_9_at_any_moment_loses_no_committed_row_and_doubles_none(tmp_path: Path) -> None:
    rng = random.Random(3)
    committed: dict[tuple[int, int], int] = {}
    sessions: list[int] = []
    through = 0
    with running(CHECKPOINTER, str(tmp_path)) as checkpointer:
        for seed in range(KILLS):
            with running(WRITER, str(tmp_path), str(RING), str(sessions[-1] if sessions else 0), str(seed)) as writer:
                assert writer.stdout
                first = writer.stdout.readline()
                time.sleep(rng.random() ** 3 * 0.2)
                writer.send_signal(signal.SIGKILL)
                said = told_by(writer)
            session, _, _, found_through = map(int, first.split())
            assert session > max(sessions, default=0)
            assert found_through >= through  # the account of what was told is never behind
            sessions.append(session)
            for told_session, start, last, told_through in said:
                committed.update({(told_session, seq): 1 for seq in range(start, last + 1)})
                through = told_through
        assert checkpointer.poll() is None
    check_the_journal(tmp_path, sessions, set(committed), through)
    assert len(committed) > 10 * KILLS


def check_the_journal(folder: Path, sessions: list[int], committed: set[tuple[int, int]], through: int) -> None:
    """Every committed row once, whole, in order; no gap; the account says what the rows say."""
    rows = all_rows(folder)
    identities = [(session, seq) for session, seq, _ in rows]
    assert identities == sorted(set(identities))
    assert committed <= set(identities)
    assert all(payload == b"%d-%d." % (session, seq) * 200 for session, seq, payload in rows)
    assert {session for session, _ in identities} <= set(sessions)
    assert all_gaps(folder) == []
    with sqlite3.connect(folder / "journal.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        numbers = [row[0] for row in connection.execute("SELECT trigger_number FROM results ORDER BY id")]
    connection.close()
    assert numbers == list(range(1, len(numbers) + 1))  # no trigger was answered twice, and none left out
    with opened(folder, ring_session=sessions[-1]) as journal:
        assert journal.report().set_aside == ""
        last = journal.accounts()[""].through
        assert last == numbers[-1] >= through
        assert journal.accounts() == {"": Account(last, part_ids={last + 1: "next"})}


def test_a_reader_that_stands_still_in_a_read_lets_the_writer_go_on(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        assert commit(journal, 1)
        with running(STUCK_READER, str(tmp_path / "journal.db")) as stuck:
            assert stuck.stdout
            assert stuck.stdout.readline() == "1\n"
            stuck.send_signal(signal.SIGSTOP)
            reader = JournalReader.open(tmp_path, checkpoint_bytes=100_000)
            for seq in range(2, 400):
                assert commit(journal, seq, size=3000), journal.report()
                if seq % 40 == 0:
                    assert reader.checkpoint() == ""
            assert (tmp_path / "journal.db-wal").stat().st_size > 3_000_000  # it has to wait
            assert len(reader.page(0, 0, 1000).payloads) == 399
        for seq in range(400, 440):
            assert reader.checkpoint() == ""
            assert commit(journal, seq, size=3000)
        reader.close()
        assert (tmp_path / "journal.db").stat().st_size > 1_000_000


def test_a_checkpoint_that_stands_still_lets_the_writer_go_on(tmp_path: Path) -> None:
    """Stopped again and again, so that it is also in the middle of one."""
    rng = random.Random(5)
    seq = 0
    with opened(tmp_path) as journal, running(CHECKPOINTER, str(tmp_path)) as checkpointer:
        assert checkpointer.stdout
        assert checkpointer.stdout.readline() == "ready\n"
        for _ in range(60):
            for _ in range(rng.randrange(30)):
                seq += 1
                assert commit(journal, seq, size=3000), journal.report()
            time.sleep(rng.random() * 0.004)
            checkpointer.send_signal(signal.SIGSTOP)
            for _ in range(10):
                seq += 1
                assert commit(journal, seq, size=3000), journal.report()
            checkpointer.send_signal(signal.SIGCONT)
        assert checkpointer.poll() is None
        assert [found for _, found, _ in all_rows(tmp_path)] == list(range(1, seq + 1))


def test_a_wal_that_a_reader_let_grow_too_large_is_begun_again(tmp_path: Path) -> None:
    """Nothing of it could be moved while somebody read; once he has gone the file shrinks to what is kept of it."""
    wal = tmp_path / "journal.db-wal"
    with opened(tmp_path) as journal:
        reader = JournalReader.open(tmp_path)
        with running(STUCK_READER, str(tmp_path / "journal.db")):
            seq = 0
            while wal.stat().st_size <= LARGEST_WAL_BYTES:
                journal.commit([], [], {})
                seq += 200
                assert commit(journal, *range(seq - 199, seq + 1), size=30_000) or journal.report().unwritten
                while journal.report().unwritten:
                    journal.retry()
            assert reader.checkpoint() == ""
            assert commit(journal, seq + 1)
        assert commit(journal, seq + 2)
        assert reader.checkpoint() == ""
        assert commit(journal, seq + 3)
        assert wal.stat().st_size < LARGEST_WAL_BYTES
        reader.close()


@pytest.mark.time_limit_s(60)
def test_two_stations_cannot_write_one_journal(tmp_path: Path) -> None:
    with running(WRITER, str(tmp_path), str(RING), "0", "1") as writer:
        assert writer.stdout
        writer.stdout.readline()
        second = subprocess.run(
            [sys.executable, "-c", WRITER, str(tmp_path), str(RING), "0", "2"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.stdout == ""
        assert "another daemon writes its journal here" in second.stderr
        assert writer.poll() is None


READER_OF_A_COPY = """
import os, sys
from pathlib import Path
from tests.journals import all_rows
if os.geteuid() == 0:  # who may write everywhere
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(len(all_rows(Path(sys.argv[1]))))
"""


def test_a_copy_in_a_folder_that_may_only_be_read_can_be_read(run_dir: Path) -> None:
    """The files that SQLite makes beside a journal cannot be made there."""
    with opened(run_dir) as journal:
        commit(journal, 1, 2)
    (run_dir / "journal.db").chmod(0o444)
    run_dir.chmod(0o555)
    try:
        done = subprocess.run(
            [sys.executable, "-c", READER_OF_A_COPY, str(run_dir)], capture_output=True, text=True, check=False
        )
    finally:
        run_dir.chmod(0o755)
    assert (done.stdout, done.stderr) == ("2\n", "")
