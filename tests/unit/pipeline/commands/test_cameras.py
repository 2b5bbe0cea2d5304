"""`datumd cameras` on the virtual cameras of the genicam package."""

import argparse
import os
from pathlib import Path

import pytest

from pipeline.commands import cameras
from pipeline.errors import CameraError
from tests.unit.pipeline.camera.viky import viky_path


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    cameras.add_parser(parser.add_subparsers())
    args = parser.parse_args(["cameras", *arguments])
    return int(args.run(args))


def test_one_line_a_camera(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(viky_path())) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["serial", "vendor", "model", "id"]
    assert [line.split()[0] for line in lines[1:]] == ["0", "1", "2"]
    assert all("Viky" in line for line in lines[1:])


def test_one_line_a_writable_feature(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(viky_path()), "--features", "2") == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert rows["PixelFormat"] == ["RGBa8", "RGBa8,", "Mono8"]
    assert rows["Width"][1:4] == ["100", "to", "800"]
    assert rows["AcquisitionStart"] == ["true", "(a", "command)"]
    assert "PayloadSize" not in rows


def test_what_is_no_producer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.cti"
    path.write_text("no producer")
    with pytest.raises(CameraError, match=r"a\.cti: is not a GenTL producer"):
        run(str(path))


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.cti")
    with pytest.raises(CameraError, match=r"a\.cti: is no regular file; allowed: a vendor's \.cti file"):
        run(str(tmp_path / "a.cti"))


def test_a_camera_that_is_not_there_is_told_which_are() -> None:
    with pytest.raises(CameraError, match="no camera with serial 9; allowed: serial of 0"):
        run(str(viky_path()), "--features", "9")
