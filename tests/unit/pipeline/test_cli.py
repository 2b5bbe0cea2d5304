"""The command line itself."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stations import write_station


def test_streams_that_the_caller_closed_are_not_taken_by_the_next_file() -> None:
    code = (
        "import os, sys; from pipeline.cli import main; main(['schema']); sys.exit(os.open('/dev/zero', os.O_RDONLY))"
    )
    command = [sys.executable, "-c", code]
    closed = subprocess.run(["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", *command], check=False, timeout=60)
    assert closed.returncode == 3


def test_a_command_that_is_none_is_told_with_those_that_are() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "pipeline", "inspct"], capture_output=True, text=True, check=False, timeout=60
    )
    assert told.returncode == 2
    assert "invalid choice: 'inspct'" in told.stderr
    assert "snapshot" in told.stderr


@pytest.mark.parametrize("words", [["export"], ["report"], ["why", "1-1"], ["backup", "-o", "b.zip"]], ids=" ".join)
def test_what_belongs_to_another_user_is_named(words: list[str], tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "journal.db").touch()
    tables = f'[archive]\nfolder = "{state}"\n[camera.top]\ntype = "folder"\npath = "."\n'
    station = write_station(tmp_path, "L3-S20", tmp_path / "recipes", 5580, 5581, tables)
    (tmp_path / "recipes").mkdir()
    state.chmod(0)
    less = [] if os.geteuid() else ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]  # root may read all
    if less and subprocess.run([*less, "true"], check=False).returncode:
        pytest.skip("this root may not give up what it may do")
    command = [*less, sys.executable, "-m", "pipeline", *words, str(station)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    state.chmod(0o700)
    assert told.returncode == 2, told.stderr
    assert re.fullmatch(
        rf"datumd: {state}\S*: (not for this user|cannot be read \(Permission denied\)).*\n", told.stderr
    )
    assert not (tmp_path / "b.zip").exists()
