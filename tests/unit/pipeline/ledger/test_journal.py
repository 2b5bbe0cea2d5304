"""The journal on a disk that works: what is committed is there for the next ledger, once."""

import sqlite3
import time
from pathlib import Path

import pytest

from pipeline.errors import AlreadyRunning
from pipeline.ledger.account import Account
from pipeline.ledger.journal import Journal
from pipeline.ledger.journal_recall import read_contents, read_published
from pipeline.ledger.journal_rows import AuditEntry, FrameKey
from pipeline.ledger.journal_waiting import Waiting
from pipeline.ledger.journal_write import begin_session, write
from pipeline.result import Evaluation
from pipeline.status import JournalReport
from tests.journals import DAY_NS, RING, all_gaps, all_rows, commit, opened, row


def test_what_is_committed_is_there_for_the_next_ledger(tmp_path: Path) -> None:
    account = Account(
        7, (9, 11), {"top": -3}, part_ids={8: "A1", 10: "A2"}, count=2, delivered={"top": 6}, software={12: 3}
    )
    with opened(tmp_path) as journal:
        assert journal.commit([row(1), row(2)], [FrameKey(4, 9, 1, 2)], {"": account, "side": Account(2)})
        first = journal.session
    with opened(tmp_path) as journal:
        assert journal.session > first
        assert journal.accounts() == {"": account, "side": Account(2)}
        assert journal.published(RING, 4, 9) == [b"result 1", b"result 2"]
        assert journal.young(1_000) == [b"result 1", b"result 2"]
        assert journal.young(1_001) == []
        assert journal.report() == JournalReport()
    assert all_rows(tmp_path) == [(first, 1, b"result 1"), (first, 2, b"result 2")]


@pytest.mark.parametrize(
    ("ring_id", "slot", "generation"), [(RING + 1, 4, 9), (RING, 5, 9), (RING, 4, 8), (RING, 4, 10)]
)
def test_another_frame_is_not_answered(tmp_path: Path, ring_id: int, slot: int, generation: int) -> None:
    with opened(tmp_path) as journal:
        journal.commit([row(1)], [FrameKey(4, 9, 1, 1)], {})
        assert journal.published(ring_id, slot, generation) is None


def test_a_slot_that_was_filled_again_is_known_by_its_newest_frame(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.commit([row(1)], [FrameKey(4, 9, 1, 1)], {})
        journal.commit([row(2)], [FrameKey(4, 10, 2, 1)], {})
    with opened(tmp_path) as journal:
        assert journal.published(RING, 4, 9) is None
        assert journal.published(RING, 4, 10) == [b"result 2"]


def test_the_rows_of_this_session_are_not_young(tmp_path: Path) -> None:
    now = time.time_ns()
    with opened(tmp_path) as journal:
        journal.commit([row(1, utc_ns=now - DAY_NS), row(2, utc_ns=now)], [], {})
    with opened(tmp_path) as journal:
        journal.commit([row(1, utc_ns=now)], [], {})
        assert journal.young(now - 1) == [b"result 2"]


@pytest.mark.parametrize("ring_session", [0, 5, 2**40])
def test_sessions_grow_whatever_the_clock_and_the_ring_say(tmp_path: Path, ring_session: int) -> None:
    sessions = []
    for _ in range(3):
        with opened(tmp_path, ring_session=ring_session) as journal:
            sessions.append(journal.session)
    assert sessions == sorted(set(sessions))
    assert sessions[0] > ring_session
    assert sessions[0] >= int(time.time()) - 10


def test_bound_part_ids_follow_the_account(tmp_path: Path) -> None:
    bound = {number: f"part {number}" for number in range(500)}
    with opened(tmp_path) as journal:
        journal.commit([], [], {"": Account(0, part_ids=bound)})
        del bound[3]
        journal.commit([], [], {"": Account(3, part_ids={**bound, 7: "another", 900: "new"})})
    with opened(tmp_path) as journal:
        assert journal.accounts() == {"": Account(3, part_ids={**bound, 7: "another", 900: "new"})}
        journal.forget_accounts()
        assert journal.accounts() == {}
    with opened(tmp_path) as journal:
        assert journal.accounts() == {}


def test_a_domain_that_is_counted_anew_has_its_new_part_ids_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.commit([], [], {"": Account(3, part_ids={5: "old"})})
        journal.forget_accounts()
        journal.commit([], [], {"": Account(4, part_ids={6: "new"})})
    with opened(tmp_path) as journal:
        assert journal.accounts() == {"": Account(4, part_ids={6: "new"})}


def test_a_software_trigger_asked_for_twice_has_one_key(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        assert journal.software("r1", "plc", "A1", 5) == 1
        assert journal.known_software("r1", "plc") == 1
        assert journal.software("r1", "tablet", "A2", 6) == 2
        assert journal.software("", "plc", "", 7) == 3
        assert journal.software("", "plc", "", 7) == 4
        journal.commit([row(1, software=2), row(2, software=3)], [], {})
    with opened(tmp_path) as journal:
        assert journal.software_open() == [(1, "A1"), (4, "")]
        assert journal.known_software("r1", "tablet") == 2
        assert journal.software("r2", "tablet", "A3", 9) == 5


def test_settings_and_the_audit_trail_are_kept(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        assert journal.setting("recipe") is None
        journal.set_setting("recipe", "1")
        journal.set_setting("recipe", "2")
        for number in range(4):
            journal.audit(number, "plc", "recipe", str(number), str(number + 1))
    with opened(tmp_path) as journal:
        assert journal.setting("recipe") == "2"
        assert journal.audits(2) == [AuditEntry(2, "plc", "recipe", "2", "3"), AuditEntry(3, "plc", "recipe", "3", "4")]


def test_what_became_of_an_image_lies_beside_its_result_and_goes_with_it(tmp_path: Path) -> None:
    with opened(tmp_path, keep_days=1.0) as journal:
        commit(journal, 1, 2)
        journal.image(journal.session, 1, "top", "images/1.png", "")
        journal.image(journal.session, 1, "side", "", "the disk is full")
        journal.image(journal.session - 1, 1, "side", "of a session that is not known", "")

        def images() -> list[tuple[str, str, str]]:
            with sqlite3.connect(tmp_path / "journal.db") as connection:
                found = connection.execute("SELECT view, path, fault FROM images").fetchall()
            connection.close()
            return found

        assert images() == [("side", "", "the disk is full"), ("top", "images/1.png", "")]
        journal.prune(2 * DAY_NS, 1)
        assert images() == []


def test_a_trigger_number_that_no_database_holds_is_left_to_the_payload(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        huge = row(1).__class__(1, 5, Evaluation.OK, 2**64 - 1, "", b"{}")
        assert journal.commit([huge], [], {"": Account(2**64 - 1, (2**64 - 1,))})
    with opened(tmp_path) as journal:
        assert journal.accounts() == {"": Account(2**64 - 1, (2**64 - 1,))}


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with (
        opened(tmp_path),
        pytest.raises(AlreadyRunning, match=r"another daemon writes its journal here; next: .*archive\.folder"),
    ):
        Journal.open(tmp_path, RING, 0, lambda _: 1.0)
    with opened(tmp_path):
        pass


def test_retention_goes_by_evaluation_and_a_few_rows_at_a_time(tmp_path: Path) -> None:
    days = {Evaluation.OK: 1.0, Evaluation.NOT_OK: 10.0, Evaluation.UNDEFINED: 10.0, Evaluation.NOT_DECIDABLE: 10.0}
    journal = Journal.open(tmp_path, RING, 0, days.__getitem__)
    for seq in range(1, 101):
        evaluation = Evaluation.NOT_OK if seq % 10 == 0 else Evaluation.OK
        journal.commit([row(seq, evaluation, utc_ns=seq)], [FrameKey(seq % 4, seq, seq, 1)], {})
    assert journal.prune(DAY_NS, 1000) == 0  # the oldest is not older yet
    pruned = [journal.prune(2 * DAY_NS, 40) for _ in range(4)]
    assert pruned == [40, 40, 10, 0]
    assert [seq for _, seq, _ in all_rows(tmp_path)] == list(range(10, 101, 10))
    assert [(gap.first, gap.last) for gap in all_gaps(tmp_path)] == [(n + 1, n + 9) for n in range(0, 100, 10)]
    assert journal.published(RING, 100 % 4, 100) == [b"result 100"]
    assert journal.published(RING, 99 % 4, 99) == []  # answered, though its row has expired
    assert journal.prune(20 * DAY_NS, 1000) == 10
    assert [(gap.first, gap.last) for gap in all_gaps(tmp_path)] == [(1, 100)]
    journal.close()


def test_room_is_used_again(tmp_path: Path) -> None:
    """In steady state the file does not grow, whatever is kept longer lies between."""
    days = {Evaluation.OK: 0.001, Evaluation.NOT_OK: 0.01}
    journal = Journal.open(tmp_path, RING, 0, lambda evaluation: days.get(evaluation, 1.0))
    step = int(0.001 * DAY_NS / 200)  # 200 rows are younger than OK ones are kept
    sizes = []
    connection = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    for seq in range(1, 6_001):
        evaluation = Evaluation.NOT_OK if seq % 20 == 0 else Evaluation.OK
        assert journal.commit([row(seq, evaluation, utc_ns=seq * step, size=3000)], [], {})
        journal.prune(seq * step + seq, 4)
        if seq % 500 == 0:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            sizes.append((tmp_path / "journal.db").stat().st_size)
    connection.close()
    assert sizes[-1] <= sizes[5] * 1.1
    assert sizes[-1] < 4_000_000
    journal.close()


def test_accounts_and_frames_are_never_on_the_disk_before_their_rows(tmp_path: Path) -> None:
    waiting = Waiting()
    rows = [row(seq) for seq in range(1, 2501)]
    frames = [FrameKey(slot=seq % 7, generation=seq, seq=seq, count=1) for seq in range(2494, 2501)]
    waiting.add(rows, [FrameKey(8, 1, 5, 2), *frames], {"": Account(2500)})
    with opened(tmp_path) as journal:
        place = begin_session(journal._file.connection, journal.session + 1, 0)
        for oldest, account in ((1000, None), (1000, None), (500, Account(2500))):
            batch = waiting.first_rows(oldest)
            write(journal._file.connection, waiting, batch, place, 7, {})
            waiting.written(batch)
            found = read_contents(journal._file.connection)
            assert found.accounts.get("") == account
            assert bool(waiting.frames) == (account is None)
        assert read_published(journal._file.connection, 7, 8, 1) == [rows[4].payload, rows[5].payload]
    assert waiting.is_empty
