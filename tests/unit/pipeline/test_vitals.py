"""The table of vital signs lies where anybody may put a file: only our own one is believed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.vitals import Vitals, VitalWord, born, survivors


@pytest.fixture
def child() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


def table(path: Path, pid: int) -> None:
    """A table that says of its second row that it is this process."""
    Vitals(path, rows=3).close()
    with path.open("r+b") as file:
        for word, value in ((VitalWord.pid, pid), (VitalWord.born, born(pid))):
            file.seek((16 + word) * 8)
            file.write(value.to_bytes(8, "little"))


def test_who_lives_of_the_table_survives(tmp_path: Path, child: int) -> None:
    table(tmp_path / "vitals", child)
    assert survivors(tmp_path / "vitals") == [child]
    os.kill(child, 9)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert survivors(tmp_path / "vitals") == []


def test_there_is_nobody_in_a_file_that_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_bytes(b"no table" * 64)
    assert [survivors(tmp_path / name) for name in ("none", "empty", "text")] == [[], [], []]


def test_a_link_is_not_followed(tmp_path: Path, child: int) -> None:
    target = tmp_path / "target"
    table(target, child)
    before = target.read_bytes()
    (tmp_path / "vitals").symlink_to(target)
    assert survivors(tmp_path / "vitals") == []
    with pytest.raises(OSError, match="symbolic"):
        Vitals(tmp_path / "vitals", rows=3)
    assert target.read_bytes() == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_nobody_is_killed_for_what_somebody_else_wrote(tmp_path: Path, child: int) -> None:
    table(tmp_path / "vitals", child)
    os.chown(tmp_path / "vitals", 12345, 12345)
    (tmp_path / "vitals").chmod(0o666)
    assert survivors(tmp_path / "vitals") == []
    with pytest.raises(PermissionError, match="somebody else"):
        Vitals(tmp_path / "vitals", rows=3)
