"""The GenICam camera on viky.cti, the virtual cameras of the genicam package."""

import gc
import multiprocessing
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.camera.genicam.camera import GenicamCamera
from pipeline.camera.genicam.producer import REQUIRED, list_devices
from pipeline.camera.source import Loss
from pipeline.camera_settings import Feature, GenicamSettings
from pipeline.errors import CameraError
from pipeline.frame import FrameInfo, PixelFormat
from tests.unit.pipeline.camera.grabbing import next_frame, target_for
from tests.unit.pipeline.camera.viky import viky_path

FRAMES = 30


def settings(features: dict[str, Feature] | None = None, *, serial: str = "1", **more: str) -> GenicamSettings:
    return GenicamSettings(producer=str(viky_path()), serial=serial, features=features or {}, **more)  # type: ignore[arg-type]  # a setting by its name


@pytest.fixture
def cameras() -> Iterator[list[GenicamCamera]]:
    opened: list[GenicamCamera] = []
    yield opened
    for camera in opened:
        camera.disconnect()


def test_the_devices_are_listed() -> None:
    labels = list_devices(viky_path())
    assert [label.serial for label in labels] == ["0", "1", "2"]
    assert {label.model for label in labels} == {"Viky"}


def test_features_are_set_in_order_and_read_back(cameras: list[GenicamCamera]) -> None:
    features: dict[str, Feature] = {"PixelFormat": "Mono8", "Width": 320, "Height": 200, "AcquisitionFrameRate": 100}
    cameras.append(GenicamCamera(settings(features)))
    info = cameras[0].connect()
    assert (info.width, info.height, info.pixel_format, info.payload_bytes) == (320, 200, PixelFormat.Mono8, 64_000)
    assert info.serial == "1"
    assert info.is_simulated
    assert not info.counts_triggers
    cameras[0].start()
    frame = next_frame(cameras[0], target_for(info))
    assert (frame.width, frame.height, frame.trigger_number, frame.exposure_us) == (320, 200, None, None)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"Widht": 320}, r"has no feature Widht; allowed: near names: Width"),
        ({"Width": 99}, r"feature Width: refuses 99 .*; allowed: 100 to 800"),
        ({"Width": 320.5}, r"feature Width: cannot be set to '320\.5'; allowed: 100 to 800"),
        ({"Width": 10**20}, r"feature Width: cannot be set to 1(0+); allowed: 100 to 800"),
        ({"Width": True}, r"feature Width: cannot be set to 'true'; allowed: 100 to 800"),
        ({"PixelFormat": "Mono12"}, r"feature PixelFormat: refuses 'Mono12' .*; allowed: RGBa8, Mono8"),
        ({"PayloadSize": 5}, r"feature PayloadSize: cannot be set to 5: it is not writable now"),
        ({"AcquisitionStart": 1}, r"feature AcquisitionStart: is a command, found 1; allowed: true"),
        ({"ChunkModeActive": "On"}, r"feature ChunkModeActive: cannot be set to 'On'; allowed: true or false"),
    ],
)
def test_a_wrong_feature_is_named_with_what_is_allowed(
    features: dict[str, Feature], message: str, cameras: list[GenicamCamera]
) -> None:
    cameras.append(GenicamCamera(settings(features)))
    with pytest.raises(CameraError, match=message):
        cameras[0].connect()
    cameras.append(GenicamCamera(settings()))  # all of it was undone: the producer is free again
    assert cameras[1].connect().width > 0


def test_a_chunk_that_is_not_there_is_refused() -> None:
    with pytest.raises(CameraError, match="has no feature ChunkCounterValue"):
        GenicamCamera(settings(trigger_number="ChunkCounterValue")).connect()


def test_a_counter_that_is_not_there_is_refused() -> None:
    with pytest.raises(CameraError, match="has no feature CounterValue"):
        GenicamCamera(settings(trigger_counter="CounterValue")).connect()


def test_a_camera_that_is_not_there_is_told_which_are() -> None:
    with pytest.raises(
        CameraError, match=r"no camera with serial 77; allowed: serial of 0 .*, 1 .*, 2 .*; next: datumd"
    ):
        GenicamCamera(settings(serial="77")).connect()
    with pytest.raises(CameraError, match="shows 3 cameras, name one by serial"):
        GenicamCamera(settings(serial="")).connect()


def test_a_device_may_be_named_by_its_gentl_id(cameras: list[GenicamCamera]) -> None:
    cameras.append(GenicamCamera(settings(serial="VikyTL_DEV_blue")))
    assert cameras[0].connect().serial == "2"


def test_a_producer_serves_one_user_a_process(cameras: list[GenicamCamera]) -> None:
    cameras += [GenicamCamera(settings(serial="0")), GenicamCamera(settings(serial="1"))]
    cameras[0].connect()
    with pytest.raises(CameraError, match="is open already in this process"):
        cameras[1].connect()
    cameras[0].disconnect()
    assert cameras[1].connect().serial == "1"


@pytest.mark.parametrize("content", [b"", b"GenTL", b"\x7fELF but no library"])
def test_what_is_no_producer_is_refused_unloaded(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.cti"
    path.write_bytes(content)
    with pytest.raises(CameraError, match=r"broken\.cti: is not a GenTL producer"):
        list_devices(path)


def test_a_producer_that_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hollow.cti"
    path.write_bytes(b"\x7fELF\0" + b"\0".join(name.encode() for name in REQUIRED) + b"\0")
    with pytest.raises(CameraError, match=r"hollow\.cti: is not a GenTL producer that can be used \(.*ELF"):
        list_devices(path)


def test_a_missing_producer_is_named() -> None:
    with pytest.raises(CameraError, match=r"/no/such\.cti: cannot be read"):
        list_devices(Path("/no/such.cti"))


def test_interrupts_stay_with_the_program(cameras: list[GenicamCamera]) -> None:
    before = signal.getsignal(signal.SIGINT)
    cameras.append(GenicamCamera(settings()))
    cameras[0].connect()
    assert signal.getsignal(signal.SIGINT) is before


def living(*names: str) -> int:
    gc.collect()
    return sum(type(thing).__name__ in names for thing in gc.get_objects())


def test_a_closed_camera_leaves_nothing_behind() -> None:
    before = living("NodeMap", "ImageAcquirer", "Harvester")
    for _ in range(3):
        camera = GenicamCamera(settings())
        target = target_for(camera.connect())
        camera.start()
        next_frame(camera, target)
        camera.disconnect()
    assert living("NodeMap", "ImageAcquirer", "Harvester") <= before


def grab(serial: str, answers: "multiprocessing.Queue[tuple[str, int, int, int]]") -> None:
    """In a process of its own: frames, losses and the span of frame ids of one camera."""
    camera = GenicamCamera(settings({"PixelFormat": "Mono8", "AcquisitionFrameRate": 100.0}, serial=serial))
    target = memoryview(target_for(camera.connect()))
    camera.start()
    outcomes = [camera.grab_into(target, 5.0) for _ in range(FRAMES)]
    camera.stop()
    camera.disconnect()
    frames = [outcome for outcome in outcomes if isinstance(outcome, FrameInfo)]
    lost = sum(outcome.count for outcome in outcomes if isinstance(outcome, Loss))
    answers.put((serial, len(frames), lost, frames[-1].frame_id - frames[0].frame_id + 1))


@pytest.mark.time_limit_s(60)
def test_three_cameras_at_once_in_three_processes() -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[tuple[str, int, int, int]] = context.Queue()
    workers = [context.Process(target=grab, args=(serial, answers)) for serial in ("0", "1", "2")]
    for worker in workers:
        worker.start()
    try:
        told = sorted(answers.get(timeout=50) for _ in workers)
    finally:
        for worker in workers:
            worker.join(5)
            worker.kill()
            worker.join()
    assert [serial for serial, *_ in told] == ["0", "1", "2"]
    for _, frames, lost, span in told:
        assert frames > 0
        assert frames + lost == span
