"""`datumd listen` in a shell, where its reader may go at any time."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.played_stations import PlayedStation

LISTEN = [sys.executable, "-m", "pipeline", "listen"]


@pytest.fixture
def station(run_dir: Path, station_name: str, free_port: Callable[[], int]) -> Iterator[PlayedStation]:
    station = PlayedStation(run_dir, station_name, free_port(), free_port())
    yield station
    station.close()


def listened(station: PlayedStation, *options: str) -> tuple[int, list[str], str]:
    """Exit code, lines and standard error of a run, while the station beats."""
    command = [*LISTEN, station.endpoint, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        deadline = time.monotonic() + 30
        while child.poll() is None and time.monotonic() < deadline:
            station.beat()
            time.sleep(0.05)
        child.kill()
        words, errors = child.communicate()
        return child.returncode, words.splitlines(), errors


def triggers(lines: list[str]) -> list[int]:
    return [int(line.split()[0]) for line in lines]


def test_a_reader_that_has_gone_ends_listen_without_a_word(station: PlayedStation) -> None:
    command = [*LISTEN, station.endpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        deadline = time.monotonic() + 30
        while child.poll() is None and time.monotonic() < deadline:
            station.beat()
            station.publish()
            time.sleep(0.05)
        words = child.stderr.read()
    assert words == ""
    assert child.returncode == 141


def test_listen_goes_on_where_it_ended_and_tells_what_is_gone(station: PlayedStation, tmp_path: Path) -> None:
    station.publish(3)
    options = ("--from-start", "--cursor", str(tmp_path / "cursor"), "--count")
    with station.answering():
        code, lines, errors = listened(station, *options, "2")
        assert (code, triggers(lines)) == (0, [1, 2])
        assert "gap" not in errors
        station.publish(2, journaled=False)
        station.publish(1)
        code, lines, errors = listened(station, *options, "2")
    assert (code, triggers(lines)) == (0, [3, 6])
    assert f"gap: results 4 to 5 of session {station.session} of {station.name}" in errors
    assert "missed             2" in errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--cursor", "/nowhere/cursor"],
            "datumd: cursor /nowhere/cursor: cannot be opened: No such file or directory",
        ),
        (["--server-key", "a.pub"], "datumd: --server-key: the station's key is of use only with one's own"),
        (["--key", "/nowhere/mes.key"], "datumd: /nowhere/mes.key"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(options: list[str], words: str) -> None:
    done = subprocess.run(
        [*LISTEN, "tcp://127.0.0.1:1", *options], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(words)
    assert done.stderr.count("\n") == 1
