"""The line as a process of its own: ``python -m simulator.line``."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from simulator.line_log import read_log

ROOT = Path(__file__).parents[2]


@pytest.fixture
def state(session_id: str) -> Iterator[Path]:
    path = Path(f"/dev/shm/datumd-test-{session_id}-line")  # noqa: S108 - shared memory is where it has to be
    yield path
    path.unlink(missing_ok=True)


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "simulator.line", *(str(word) for word in words)]


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_line_moves_its_parts_says_so_and_takes_its_cameras_away(state: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = run(
        "--state", state, "--log", log, "--source", "pattern", "--devices", 2, "--rate-hz", 200, "--triggers", 20
    )
    assert done.stdout.splitlines() == [f"ready state={state} cameras=2", "started", "closed triggers=20 parts=20"]
    assert (done.returncode, done.stderr) == (0, "")
    written = read_log(log)
    assert written.triggers == 20
    gaps_ms = np.diff([edge.monotonic_ns for edge in written.edges]) / 1e6
    assert gaps_ms.mean() == pytest.approx(5.0, rel=0.5)
    assert not state.exists()


def test_parts_may_come_at_random(state: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = run("--state", state, "--log", log, "--source", "pattern", "--random-gaps", 5, "--triggers", 60)
    assert done.returncode == 0
    gaps_ms = np.diff([edge.monotonic_ns for edge in read_log(log).edges]) / 1e6
    assert gaps_ms.std() > 1.0  # steady parts differ only by what the scheduler does


def test_a_line_stands_still_until_it_is_told_to_go_and_again_when_it_is_told_to_pause(
    state: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    words = command("--state", state, "--log", log, "--source", "pattern", "--rate-hz", 100, "--hold")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, cwd=ROOT, text=True, **pipes) as line:
        assert line.stdin is not None

        def tell(word: str, rest_s: float) -> int:
            assert line.stdin is not None
            line.stdin.write(f"{word}\n")
            line.stdin.flush()
            time.sleep(rest_s)
            return len(read_log(log).edges)

        assert line.stdout is not None
        assert line.stdout.readline().startswith("ready")
        time.sleep(0.2)
        assert not read_log(log).edges
        gone = tell("go", 0.5)
        assert gone > 10
        paused = tell("pause", 0.2)
        assert tell("pause", 0.3) == paused
        assert paused < tell("go", 0.3) < paused + 80  # what did not come meanwhile does not come all at once
        line.stdin.close()
        assert line.wait(10) == 0


def test_a_held_line_has_faults_from_when_it_is_told_until_they_are_mended(state: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = command("--state", state, "--log", log, "--source", "pattern", "--rate-hz", 100, "--hold")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, cwd=ROOT, text=True, **pipes) as line:
        assert line.stdin is not None
        assert line.stdout is not None
        assert line.stdout.readline().startswith("ready")
        for said in ("go\n", "fault dark:dev", "ice=0\n", "mend\n"):  # the second is one line in two pieces
            line.stdin.write(said)
            line.stdin.flush()
            time.sleep(0.5)
        line.stdin.close()
        assert line.wait(10) == 0
    struck = [bool(edge.faults) for edge in read_log(log).edges]
    first, last = struck.index(True), len(struck) - struck[::-1].index(True)
    assert first > 10
    assert last < len(struck) - 10
    assert all(struck[first:last])
    assert last - first > 10


def test_a_held_line_that_is_told_what_it_does_not_know_says_so_and_ends(state: Path) -> None:
    words = command("--state", state, "--source", "pattern", "--hold")
    done = subprocess.run(words, cwd=ROOT, input="go\nstop\n", text=True, capture_output=True, check=False, timeout=20)
    assert done.returncode == 2
    assert "'stop' is not understood" in done.stderr


def test_a_line_that_is_ended_still_closes_its_log(state: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = command("--state", state, "--log", log, "--source", "pattern", "--rate-hz", 100)
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as line:
        assert line.stdout is not None
        assert line.stdout.readline().startswith("ready")
        assert line.stdout.readline() == "started\n"
        line.send_signal(signal.SIGTERM)
        assert line.wait(timeout=20) == 0
    written = read_log(log)
    assert written.triggers == len(written.edges)


@pytest.mark.parametrize("end", ["signal", "holder"])
def test_a_held_line_waits_for_its_holder_and_ends_with_it(state: Path, tmp_path: Path, end: str) -> None:
    log = tmp_path / "log"
    words = command("--state", state, "--log", log, "--source", "pattern", "--hold", "--rate-hz", 100)
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as line:
        assert line.stdin is not None
        assert line.stdout is not None
        assert line.stdout.readline().startswith("ready")
        if end == "signal":
            line.terminate()
        else:
            line.stdin.write("go\n")
            line.stdin.flush()
            assert line.stdout.readline() == "started\n"
            line.stdin.close()
        assert line.wait(timeout=20) == 0
    assert read_log(log).triggers == len(read_log(log).edges)
    assert not state.exists()


def test_a_halted_line_keeps_its_cameras(state: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = command("--state", state, "--log", log, "--source", "pattern", "--rate-hz", 100)
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as line:
        assert line.stdout is not None
        assert line.stdout.readline().startswith("ready")
        assert line.stdout.readline() == "started\n"
        line.send_signal(signal.SIGUSR1)
        assert line.stdout.readline().startswith("closed")
        assert state.exists()
        line.terminate()
        assert line.wait(timeout=20) == 0


def test_a_folder_is_played_and_what_does_not_fit_is_said(state: Path, tmp_path: Path) -> None:
    folder, log = tmp_path / "images", tmp_path / "log"
    folder.mkdir()
    for number, size in enumerate([(8, 16), (8, 16), (16, 8)]):
        cv2.imwrite(str(folder / f"{number}.png"), np.zeros(size, np.uint8))
    done = run("--state", state, "--log", log, "--source", folder, "--rate-hz", 500, "--triggers", 3)
    assert done.stdout.splitlines()[0] == f"1 images of {folder} are left out: not 16x8"
    files = [json.loads(text).get("file") for text in log.read_text().splitlines()[:3]]
    assert files == ["0.png", "1.png", "0.png"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--devices", "9"], "9 cameras; allowed: 1 to 4"),
        (["--fault", "smoke"], "'smoke' is no fault; allowed: KIND"),
        (["--source", "absent-folder"], "absent-folder: no such folder"),
        (["--rate-hz", "0"], "a line needs a positive rate"),
        (["--state", "/absent/state"], "/absent/state: no room for the simulated cameras"),
        (["--source", "renderer", "--family", "teapot"], "there is no part family 'teapot'"),
        (["--triggers", "1", "--wait-for-cameras", "0.2"], "not all cameras acquire after 0.2 s"),
    ],
)
def test_bad_input_is_one_clear_line(state: Path, words: list[str], message: str) -> None:
    done = run("--state", state, "--source", "pattern", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not state.exists()


def test_the_package_builds_without_a_compiler_and_says_so(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("CC", "CFLAGS")}
    environment["PATH"] = str(tmp_path)
    for words, code in ((["build_cti", "--output", "sim.cti"], 1), (["build_py", "--build-lib", "lib"], 0)):
        done = subprocess.run(
            [sys.executable, "setup.py", "-q", *words[:2], str(tmp_path / words[2])],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code
        assert "WARNING: no C compiler was found: the simulated GenICam camera" in done.stderr
        assert "apt-get install gcc libc6-dev, then python setup.py build_cti" in done.stderr
    assert (tmp_path / "lib" / "simulator" / "line.py").is_file()
