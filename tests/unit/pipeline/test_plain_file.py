"""Reading what somebody else may have put there."""

import os
import socket
from pathlib import Path

import pytest

from pipeline import plain_file
from pipeline.errors import ConfigError


def test_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"123")
    assert plain_file.read(path, 3, ConfigError) == b"123"
    with pytest.raises(ConfigError, match="too large; allowed: 2 bytes"):
        plain_file.read(path, 2, ConfigError)


def test_a_file_of_unknown_size_is_limited_too() -> None:
    with pytest.raises(ConfigError, match="too large"):
        plain_file.read(Path("/proc/self/maps"), 10, ConfigError)


@pytest.mark.time_limit_s(10)
def test_what_would_be_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        for name in ("pipe", "link", "socket", "", "/dev/zero", "/dev/tty"):
            with pytest.raises(ConfigError, match="is no plain file"):
                plain_file.read(tmp_path / name, 100, ConfigError)


def test_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"123")
    (tmp_path / "link").symlink_to("file")
    assert plain_file.read(tmp_path / "link", 100, ConfigError) == b"123"
    with pytest.raises(ConfigError, match="is a symbolic link"):
        plain_file.read(tmp_path / "link", 100, ConfigError, follow=False)
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(ConfigError, match="cannot be read"):
        plain_file.read(tmp_path / "round", 100, ConfigError)


@pytest.mark.parametrize("name", ["nowhere", "file/below", "zero\0byte", "x" * 300])
def test_what_is_not_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError):
        plain_file.read(tmp_path / name, 100, ConfigError)
