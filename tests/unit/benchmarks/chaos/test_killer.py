import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.killer import ROUND, How, Killer, Plan, plans


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield child
    child.kill()
    child.wait()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def until_state(pid: int, wanted: bool, letter: str) -> None:
    deadline = time.monotonic() + 5
    while (state_of(pid) == letter) is not wanted:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_same_seed_plans_the_same_kills_and_every_process_is_struck() -> None:
    planned = plans(200, 100_000, 5)
    assert planned == plans(200, 100_000, 5)
    assert planned != plans(200, 100_000, 6)
    assert len(planned) == 200
    assert [plan.at for plan in planned] == sorted(plan.at for plan in planned)
    assert set(Counter(plan.target for plan in planned)) == set(ROUND)
    assert {plan.how for plan in planned} == set(How)
    assert any(plan.after_start_s is not None for plan in planned)
    assert max(Counter(plan.at for plan in planned).values()) > 1


def test_fifteen_kills_strike_every_kind_of_process() -> None:
    assert {plan.target.partition(".")[0] for plan in plans(15, 3000, 1)} == {name.partition(".")[0] for name in ROUND}


def test_a_paused_process_goes_on_after_its_time(sleeper: subprocess.Popen[bytes]) -> None:
    expected: list[int] = []
    killer = Killer([Plan(at=10, target="ledger", how=How.PAUSE, pause_s=0.05)], expected.append)
    killer.turn(9, lambda: {"ledger": sleeper.pid})
    assert not killer.strikes
    killer.turn(10, lambda: {"ledger": sleeper.pid})
    until_state(sleeper.pid, True, "T")
    assert not killer.is_idle
    time.sleep(0.06)
    killer.turn(10, lambda: {"ledger": sleeper.pid})
    until_state(sleeper.pid, False, "T")
    assert killer.is_idle
    assert expected == []


def test_what_was_killed_is_struck_again_only_after_it_has_been_started_anew(sleeper: subprocess.Popen[bytes]) -> None:
    expected: list[int] = []
    planned = [Plan(1, "ledger", How.KILL), Plan(1, "ledger", How.KILL, after_start_s=0.02)]
    killer = Killer(planned, expected.append)
    killer.turn(1, lambda: {"ledger": sleeper.pid})
    assert sleeper.wait(5) == -signal.SIGKILL
    assert killer.is_watching
    killer.turn(1, lambda: {"ledger": sleeper.pid})
    assert [strike.pid for strike in killer.strikes] == [sleeper.pid]
    again = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    killer.turn(1, lambda: {"ledger": again.pid})
    time.sleep(0.03)
    killer.turn(1, lambda: {"ledger": again.pid})
    assert again.wait(5) == -signal.SIGKILL
    assert expected == [sleeper.pid, again.pid]
    assert "after its start" in str(killer.strikes[-1])
    assert killer.is_idle


def test_nothing_stays_stopped_and_what_was_not_carried_out_is_told(sleeper: subprocess.Popen[bytes]) -> None:
    planned = [Plan(1, "ledger", How.PAUSE, pause_s=60.0), Plan(1, "metrics", How.KILL), Plan(5, "ledger", How.KILL)]
    killer = Killer(planned, lambda _: None)
    killer.turn(1, lambda: {"ledger": sleeper.pid})
    until_state(sleeper.pid, True, "T")
    killer.release()
    until_state(sleeper.pid, False, "T")
    assert [plan.target for plan in killer.missed] == ["metrics", "ledger"]
    os.kill(sleeper.pid, 0)


def test_another_one_is_struck_where_the_target_does_not_come_back(sleeper: subprocess.Popen[bytes]) -> None:
    killer = Killer([Plan(1, "ledger", How.FREEZE)], lambda _: None, patience_s=0.01)
    killer.turn(1, lambda: {"metrics": sleeper.pid})
    assert not killer.strikes
    time.sleep(0.02)
    killer.turn(1, lambda: {"metrics": sleeper.pid})
    assert sleeper.wait(5) == -signal.SIGKILL
    assert [strike.target for strike in killer.strikes] == ["metrics"]
