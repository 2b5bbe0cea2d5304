"""The folder of a run: refused where sockets cannot be."""

import tempfile
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.runtime import runtime_folder


def test_a_folder_too_deep_for_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("deep" * 25)))
    with pytest.raises(ConfigError, match=r"too long for a socket, 107 bytes"):
        runtime_folder("L3-S20")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="no folder for sockets: Not a directory"):
        runtime_folder("L3-S20")
