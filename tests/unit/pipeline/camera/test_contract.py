"""Every kind of camera keeps the promises of `pipeline.camera.source.Camera`."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.camera.load import open_camera
from pipeline.camera.source import Camera
from pipeline.camera_settings import (
    CameraSettings,
    FolderSettings,
    GenicamSettings,
    SyntheticSettings,
    VideoSettings,
)
from pipeline.clock import monotonic_ns, utc_ns
from pipeline.errors import CameraError
from simulator.content import PatternContent
from simulator.line import Line
from simulator.producer import LINE_VARIABLE, cti_path
from tests.unit.pipeline.camera.grabbing import BEYOND, UNTOUCHED, next_frame, target_for
from tests.unit.pipeline.camera.viky import viky_path

Lines = Callable[[], Line]


def folder(tmp_path: Path, _lines: Lines) -> CameraSettings:
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((30, 40), 10 + number, np.uint8))
    return FolderSettings(path=str(tmp_path))


def folder_in_colour(tmp_path: Path, lines: Lines) -> CameraSettings:
    folder(tmp_path, lines)
    return FolderSettings(path=str(tmp_path), pixel_format="RGB8", rate_hz=200.0, repeat=True)


def video(tmp_path: Path, _lines: Lines) -> CameraSettings:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for number in range(4):
        writer.write(np.full((48, 64, 3), 50 * number, np.uint8))
    writer.release()
    return VideoSettings(path=str(path))


def synthetic(_tmp_path: Path, _lines: Lines) -> CameraSettings:
    return SyntheticSettings(width=320, height=256, rate_hz=0.0)


def synthetic_by_software(_tmp_path: Path, _lines: Lines) -> CameraSettings:
    return SyntheticSettings(width=320, height=256, triggers="software")


def viky(_tmp_path: Path, _lines: Lines) -> CameraSettings:
    return GenicamSettings(producer=str(viky_path()), serial="1", features={"AcquisitionFrameRate": 200.0})


def simulated(_tmp_path: Path, lines: Lines) -> CameraSettings:
    lines()
    features = {"TriggerSelector": "FrameStart", "TriggerMode": "On", "TriggerSource": "Software"}
    return GenicamSettings(producer=str(cti_path()), serial="SIM-0", features=dict(features))


@pytest.fixture
def lines(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Makes a simulated line with one small camera."""
    made: list[Line] = []
    path = tmp_path_factory.mktemp("line") / "state"

    def make() -> Line:
        monkeypatch.setenv(LINE_VARIABLE, str(path))
        made.append(Line(path, PatternContent(width=320, height=240)))
        return made[-1]

    yield make
    for line in made:
        line.close()


KINDS = [folder, folder_in_colour, video, synthetic, synthetic_by_software, viky, simulated]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def camera(request: pytest.FixtureRequest, tmp_path: Path, lines: Lines) -> Iterator[Camera]:
    opened = open_camera(request.param(tmp_path, lines))
    yield opened
    opened.disconnect()


def test_two_rounds_of_connect_start_grab_stop_disconnect(camera: Camera) -> None:
    for _ in range(2):
        info = camera.connect()
        assert info.payload_bytes == info.pixel_format.payload_bytes(info.width, info.height)
        target = target_for(info)
        for _ in range(2):
            camera.start()
            started_ns, started_utc_ns = monotonic_ns(), utc_ns()
            first, second = next_frame(camera, target), next_frame(camera, target)
            camera.stop()
            assert (first.width, first.height, first.pixel_format) == (info.width, info.height, info.pixel_format)
            assert second.frame_id == first.frame_id + 1
            assert started_ns <= first.received_monotonic_ns <= second.received_monotonic_ns <= monotonic_ns()
            assert started_utc_ns <= second.received_utc_ns <= utc_ns()
            assert (first.trigger_number is not None) == info.counts_triggers
        assert bytes(target[: info.payload_bytes]) != bytes([UNTOUCHED]) * info.payload_bytes
        assert bytes(target[info.payload_bytes :]) == bytes([UNTOUCHED]) * BEYOND
        camera.disconnect()


def test_what_is_not_connected_or_started_says_so(camera: Camera) -> None:
    target = bytearray(16)
    with pytest.raises(CameraError, match="not connected"):
        camera.start()
    with pytest.raises(CameraError, match=r"not (connected|started)"):
        camera.grab_into(memoryview(target), 0.01)
    camera.stop()
    camera.disconnect()
    info = camera.connect()
    with pytest.raises(CameraError, match="not started"):
        camera.grab_into(memoryview(target_for(info)), 0.01)
    with pytest.raises(CameraError, match="connected already"):
        camera.connect()
    camera.start()
    with pytest.raises(CameraError, match="started already"):
        camera.start()
    camera.stop()
    camera.stop()
    camera.disconnect()
    camera.disconnect()
    with pytest.raises(CameraError, match=r"not (connected|started)"):
        camera.grab_into(memoryview(target_for(info)), 0.01)


def test_a_target_too_small_is_refused_untouched(camera: Camera) -> None:
    info = camera.connect()
    camera.start()
    target = bytearray([UNTOUCHED]) * (info.payload_bytes - 1)
    with pytest.raises(CameraError, match=f"{info.payload_bytes} bytes does not fit"):
        camera.grab_into(memoryview(target), 1.0)
    assert target == bytearray([UNTOUCHED]) * (info.payload_bytes - 1)


def test_connect_again_after_a_failed_connect(tmp_path: Path) -> None:
    camera = open_camera(FolderSettings(path=str(tmp_path)))
    with pytest.raises(CameraError, match="holds no images"):
        camera.connect()
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), np.uint8))
    assert camera.connect().width == 8
    camera.disconnect()
