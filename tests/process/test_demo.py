"""The demonstration: what `make run` does, and the exit codes that it promises."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

pytestmark = pytest.mark.time_limit_s(180)


@pytest.fixture
def demo(free_port: Callable[[], int]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        addresses = ["--results", f"127.0.0.1:{free_port()}", "--metrics", f"127.0.0.1:{free_port()}"]
        page = [] if "--page" in words else ["--page", "none"]
        command = [sys.executable, "-m", "pipeline", "demo", *addresses, *page, *words]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def lines_until(process: subprocess.Popen[str], word: str) -> list[str]:
    """What it prints, up to the first line with `word`."""
    lines: list[str] = []
    assert process.stdout is not None
    for text in process.stdout:
        lines.append(text)
        if word in text:
            return lines
    raise AssertionError(f"{word!r} never came:\n{''.join(lines)}")


def test_it_stops_by_itself_and_draws_the_bad_parts(demo: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    process = demo("--triggers", "30", "--rate", "15", "--pictures", str(tmp_path / "pictures"))
    told, _ = process.communicate(timeout=150)
    assert process.returncode == 0
    assert "triggers answered  30" in told
    assert "30 triggers: 0 unanswered, 0 answered twice, 0 unknown" in told
    pictures = sorted((tmp_path / "pictures").glob("*-NOT_OK.png"))
    assert pictures
    assert all(f"{int(picture.name[:6]):>7}  NOT_OK" in told for picture in pictures)


def test_its_page_is_there_to_be_looked_at_until_ctrl_c_ends_it_with_a_summary(
    demo: Callable[..., subprocess.Popen[str]], free_port: Callable[[], int]
) -> None:
    pytest.importorskip("uvicorn", reason="needs the extra web; next: pip install 'datumd[web]'")
    address = f"127.0.0.1:{free_port()}"
    process = demo("--rate", "15", "--page", address)
    told = lines_until(process, "PASS")
    assert f"page     http://{address}/\n" in told
    with urlopen(f"http://{address}/", timeout=30) as answer:
        assert b"<html" in answer.read()
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "triggers answered" in told


def test_ctrl_c_ends_a_synthetic_camera_with_a_summary(demo: Callable[..., subprocess.Popen[str]]) -> None:
    process = demo("--rate", "15", "--synthetic")
    lines_until(process, "PASS")
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "triggers answered" in told


def test_a_synthetic_camera_waits_for_nobody_and_yet_all_its_parts_are_told(
    demo: Callable[..., subprocess.Popen[str]],
) -> None:
    process = demo("--triggers", "30", "--rate", "15", "--synthetic")
    told, _ = process.communicate(timeout=150)
    assert "triggers answered  30" in told
    assert "the daemon's own count 30 triggers: 30 answered, 0 twice" in told
    assert process.returncode == 0


def test_a_daemon_that_dies_is_no_success(demo: Callable[..., subprocess.Popen[str]]) -> None:
    process = demo("--triggers", "1000", "--rate", "15")
    lines_until(process, "PASS")
    supervisors = [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if f"\nPPid:\t{process.pid}\n" in _read(folder / "status") and "pipeline\0run" in _read(folder / "cmdline")
    ]
    assert len(supervisors) == 1
    os.kill(supervisors[0], signal.SIGKILL)
    time.sleep(0.1)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert not list(Path("/dev/shm").glob(f"datumd-demo-{process.pid}.*"))  # noqa: S108 - rings live here


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
