"""Supervised processes that are stopped where nobody watches them: in the middle of their start, or in reserve."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.stage import workers_of
from pipeline.status import Status
from tests.recipes import make_recipe
from tests.stations import Heard, hear_until, running, write_station

# A supervisor that starts one process, which never gets as far as its first line, and tells its process id.
SUPERVISOR = """
import sys, time
from pathlib import Path
from pipeline.supervisor.process import Process
from pipeline.supervisor.processes import ProcessSpec
from pipeline.vitals import Vitals

process = Process(ProcessSpec("ledger", "nothing:main"), 0, Path(sys.argv[1]), Vitals(Path(sys.argv[1]) / "v", rows=1), 1)
process.start()
print(process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", SUPERVISOR, tmp_path], stdout=subprocess.PIPE, text=True) as child:
        yield child
        child.kill()


def test_a_process_that_is_stopped_as_soon_as_it_exists_still_ends_with_its_supervisor(
    supervisor: subprocess.Popen[str],
) -> None:
    assert supervisor.stdout is not None
    pid = int(supervisor.stdout.readline())
    os.kill(pid, signal.SIGSTOP)
    supervisor.kill()
    deadline = time.monotonic() + 10.0
    while Path(f"/proc/{pid}").exists() and _state(pid) != "Z":
        assert time.monotonic() < deadline, "the process outlives its supervisor"
        time.sleep(0.01)


def test_a_spare_ledger_that_stands_still_is_not_waited_for(
    run_dir: Path, station_name: str, free_port: Callable[[], int]
) -> None:
    make_recipe(run_dir / "recipes" / "part", ["top"])
    port = free_port()
    camera = '[camera.top]\ntype = "synthetic"\nrate_hz = 5\n'
    station = write_station(run_dir, station_name, run_dir / "recipes", port, free_port(), camera)
    with running(station, port) as (daemon, subscription):
        heard = Heard()
        deadline = time.monotonic() + 10.0
        while not (spare := _children(daemon.pid, "--standby")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        hear_until(subscription, heard, lambda status: bool(status.session))
        before = heard.status
        assert before is not None
        os.kill(spare[0], signal.SIGSTOP)
        os.kill(next(process.pid for process in before.processes if process.name == "ledger"), signal.SIGKILL)

        def is_new(status: Status) -> bool:
            return status.session > before.session

        hear_until(subscription, heard, is_new, limit_s=15.0)
        assert spare[0] not in _children(daemon.pid, "ledger")


def _children(pid: int, word: str) -> list[int]:
    """Process ids of the workers of a supervisor that have this word in their command lines."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [child for child in children if word in Path(f"/proc/{child}/cmdline").read_text().split("\0")]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def test_a_process_that_dies_before_its_first_line_is_counted_as_started_again(
    run_dir: Path, station_name: str, free_port: Callable[[], int]
) -> None:
    make_recipe(run_dir / "recipes" / "part", ["top"])
    port = free_port()
    camera = '[camera.top]\ntype = "synthetic"\nrate_hz = 5\n'
    station = write_station(run_dir, station_name, run_dir / "recipes", port, free_port(), camera)
    with running(station, port) as (daemon, subscription):
        killed: set[int] = set()
        deadline = time.monotonic() + 60.0
        while len(killed) < 3:
            assert time.monotonic() < deadline, "it was not started again"
            pid = workers_of(daemon.pid, station_name).get("metrics", 0)
            if pid and pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        hear_until(subscription, Heard(), lambda status: _restarts(status) == 3)


def _restarts(status: Status) -> int:
    return next(process.restarts for process in status.processes if process.name == "metrics")
