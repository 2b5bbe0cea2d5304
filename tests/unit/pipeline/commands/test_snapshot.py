"""`datumd snapshot` from a station file and from a producer."""

import argparse
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.camera.snapshot import Snapshot
from pipeline.camera.source import CameraInfo
from pipeline.commands import snapshot
from pipeline.errors import CameraError, ConfigError
from pipeline.frame import Frame, FrameInfo, PixelFormat
from tests.unit.pipeline.camera.viky import viky_path


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    snapshot.add_parser(parser.add_subparsers())
    args = parser.parse_args(["snapshot", *arguments])
    return int(args.run(args))


@pytest.fixture
def station(tmp_path: Path) -> Path:
    for name, grey in (("top", 40), ("side", 90)):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), np.full((30, 40), grey, np.uint8))
    path = tmp_path / "station.toml"
    path.write_text(
        'format = 1\nstation = "s"\nrecipes = "recipes"\n'
        '[camera.top]\ntype = "folder"\npath = "top"\n[camera.side]\ntype = "folder"\npath = "side"\n'
    )
    return path


def test_a_frame_of_the_named_camera_is_saved(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = station.parent / "out.png"
    assert run(str(station), "--camera", "side", "-o", str(output)) == 0
    image = cv2.imread(str(output), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(image, np.full((30, 40), 90, np.uint8))
    told = capsys.readouterr().out
    assert "40 x 30 Mono8, exposure not told, mean grey 90.0, trigger 1" in told
    assert f"saved {output}" in told


def test_a_frame_of_a_producers_camera_is_saved_in_colour(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.png"
    assert run("--producer", str(viky_path()), "--serial", "0", "-o", str(output)) == 0
    image = cv2.imread(str(output), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert image.shape == (400, 400, 3)
    assert "Viky 0: 400 x 400 RGBa8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["STATION", "-o", "x.png"], "the station has several cameras; allowed: top, side"),
        (["STATION", "--camera", "rear", "-o", "x.png"], "the station has no camera rear; allowed: top, side"),
        (["STATION", "--camera", "top", "-o", "x.jpg"], r"x\.jpg is no name for a snapshot; allowed: .*\.png"),
        (["-o", "x.png"], "name a station file or a producer"),
        (["STATION", "--producer", "a.cti", "-o", "x.png"], "name a station file or a producer"),
    ],
)
def test_what_is_not_clear_is_asked_for(arguments: list[str], message: str, station: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        run(*[str(station) if argument == "STATION" else argument for argument in arguments])


def test_a_camera_that_sends_nothing_ends_in_an_error(tmp_path: Path) -> None:
    station = tmp_path / "station.toml"
    station.write_text(
        'format = 1\nstation = "s"\nrecipes = "recipes"\n[camera.top]\ntype = "synthetic"\nrate_hz = 0.001\n'
        'frames = "tests.unit.pipeline.camera.test_played:too_large"\nwidth = 8\nheight = 8\n'
    )
    with pytest.raises(CameraError, match=r"uint8 \(9, 8\)"):
        run(str(station), "-o", str(tmp_path / "x.png"))
    empty = tmp_path / "empty.toml"
    empty.write_text(station.read_text().replace("too_large", "nothing"))
    with pytest.raises(CameraError, match=r"camera top: gave no frame in 0\.2 s"):
        run(str(empty), "--timeout", "0.2", "-o", str(tmp_path / "x.png"))
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf"])
def test_a_timeout_that_is_no_time_is_refused(timeout: str, station: Path) -> None:
    with pytest.raises(ConfigError, match=f"--timeout: is {timeout}; allowed: above 0"):
        run(str(station), "--camera", "top", "--timeout", timeout, "-o", str(station.parent / "x.png"))


def test_a_place_that_cannot_be_written_is_named(station: Path) -> None:
    with pytest.raises(CameraError, match=r"gone/x\.png: cannot be written \(No such file or directory\)"):
        run(str(station), "--camera", "top", "-o", str(station.parent / "gone" / "x.png"))


@pytest.mark.parametrize(
    ("pixel_format", "first_pixels"),
    [
        (PixelFormat.RGB8, bytes([1, 2, 3])),
        (PixelFormat.BGR8, bytes([3, 2, 1])),
        (PixelFormat.RGBa8, bytes([1, 2, 3, 255])),
        (PixelFormat.BGRa8, bytes([3, 2, 1, 255])),
    ],
)
def test_pictures_are_blue_green_red(pixel_format: PixelFormat, first_pixels: bytes) -> None:
    picture = snapshot_of(pixel_format, first_pixels * 16).picture()
    assert picture.shape == (4, 4, 3)
    assert picture[0, 0].tolist() == [3, 2, 1]


def test_a_red_bayer_scene_is_red() -> None:
    mosaic = np.zeros((4, 4), np.uint8)
    mosaic[::2, ::2] = 200  # BayerRG8: the first pixel of the first line sees red
    picture = snapshot_of(PixelFormat.BayerRG8, mosaic.tobytes()).picture()
    assert picture[2, 2].tolist() == [0, 0, 200]


def snapshot_of(pixel_format: PixelFormat, payload: bytes) -> Snapshot:
    info = CameraInfo("v", "m", "s", 4, 4, pixel_format, len(payload), counts_triggers=False, is_simulated=True)
    frame = FrameInfo(4, 4, pixel_format, 0, None, None, None, 0, 0)
    return Snapshot(info, Frame(frame, memoryview(payload)), ())
