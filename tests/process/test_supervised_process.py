"""A supervised process that is stopped in the middle of its start."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
