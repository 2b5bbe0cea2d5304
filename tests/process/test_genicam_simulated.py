"""The GenICam camera on our own producer: triggers, faults, losses, and a camera that goes away."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.camera.genicam.camera import GenicamCamera
from pipeline.camera.source import CameraInfo, Loss
from pipeline.camera_settings import Feature, GenicamSettings
from pipeline.errors import CameraError, CameraLost
from pipeline.frame import Frame, FrameInfo, PixelFormat
from pipeline.loss import LossKind
from pipeline.pixels import whole_grey8
from simulator.content import PatternContent, pattern
from simulator.fault import parse_fault
from simulator.line import Line
from simulator.producer import LINE_VARIABLE, cti_path
from tests.unit.pipeline.camera.grabbing import next_frame, target_for

WIDTH, HEIGHT = 320, 240
LINE_TRIGGER: dict[str, Feature] = {"TriggerSelector": "FrameStart", "TriggerMode": "On", "TriggerSource": "Line1"}

Outcome = FrameInfo | Loss
Lines = Callable[..., Line]


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Makes the simulated line of this test, with planned faults."""
    made: list[Line] = []

    def make(*faults: str) -> Line:
        path = tmp_path / "line"
        monkeypatch.setenv(LINE_VARIABLE, str(path))
        content = PatternContent(width=WIDTH, height=HEIGHT, pictures=64)
        made.append(Line(path, content, faults=[parse_fault(fault) for fault in faults], pool=64))
        return made[-1]

    yield make
    for line in made:
        line.close()


@pytest.fixture
def cameras() -> Iterator[list[GenicamCamera]]:
    """Cameras to disconnect after the test."""
    opened: list[GenicamCamera] = []
    yield opened
    for camera in opened:
        camera.disconnect()


def settings(
    features: dict[str, Feature] | None = None,
    *,
    trigger_number: str = "ChunkCounterValue",
    trigger_counter: str = "CounterValue",
    buffers: int = 8,
) -> GenicamSettings:
    return GenicamSettings(
        producer=str(cti_path()),
        serial="SIM-0",
        features=LINE_TRIGGER | (features or {}),
        shots=[{"name": "top", "ExposureTime": 1000.0}],
        trigger_number=trigger_number,
        trigger_counter=trigger_counter,
        buffers=buffers,
    )


def started(cameras: list[GenicamCamera], chosen: GenicamSettings) -> tuple[GenicamCamera, CameraInfo, bytearray]:
    camera = GenicamCamera(chosen)
    cameras.append(camera)
    info = camera.connect()
    camera.start()
    return camera, info, target_for(info)


def all_outcomes(camera: GenicamCamera, target: bytearray) -> list[Outcome]:
    """Frames and losses until the camera has been quiet for 0.6 s, long enough to be asked whether it is there."""
    found: list[Outcome] = []
    while (outcome := camera.grab_into(memoryview(target), 0.6)) is not None:
        found.append(outcome)
        assert len(found) < 1000
    return found


def short(outcomes: list[Outcome]) -> list[tuple[str, int | None, int]]:
    """(what, trigger number, count) of each."""
    return [
        ("frame", outcome.trigger_number, 1)
        if isinstance(outcome, FrameInfo)
        else (outcome.kind.value, outcome.trigger_number, outcome.count)
        for outcome in outcomes
    ]


def test_every_edge_gives_its_numbered_frame(lines: Lines, cameras: list[GenicamCamera]) -> None:
    line = lines()
    camera, info, target = started(cameras, settings())
    assert (info.vendor, info.serial, info.width, info.height) == ("datumd", "SIM-0", WIDTH, HEIGHT)
    assert info.counts_triggers
    assert info.is_simulated
    clock_ns = []
    for number in range(1, 6):
        line.edge()
        frame = next_frame(camera, target)
        assert (frame.trigger_number, frame.exposure_us) == (number, 1000.0)
        assert camera.poll_trigger_counter() == number
        image = np.frombuffer(target, np.uint8, info.payload_bytes).reshape(HEIGHT, WIDTH)
        np.testing.assert_array_equal(image, pattern(0, number - 1, width=WIDTH, height=HEIGHT))
        assert frame.camera_ns is not None
        clock_ns.append(frame.camera_ns)
    assert clock_ns == sorted(set(clock_ns))


@pytest.mark.parametrize("name", ["Mono8", "Mono10p", "Mono12p", "BayerRG8", "RGB8"])
def test_raw_bytes_of_every_format_can_be_unpacked(name: str, lines: Lines, cameras: list[GenicamCamera]) -> None:
    line = lines()
    camera, info, target = started(cameras, settings({"PixelFormat": name}))
    assert info.pixel_format is PixelFormat[name]
    line.edge()
    frame = next_frame(camera, target)
    grey = whole_grey8(Frame(frame, memoryview(target)[: info.payload_bytes]))
    if name == "BayerRG8":  # a grey scene is the mosaic itself
        grey = np.frombuffer(target, np.uint8, info.payload_bytes).reshape(HEIGHT, WIDTH)
    expected = pattern(0, 0, width=WIDTH, height=HEIGHT)
    assert int(np.abs(grey.astype(int) - expected).max()) <= 1


def test_losses_are_told_before_the_frame_that_shows_them(lines: Lines, cameras: list[GenicamCamera]) -> None:
    line = lines("incomplete:at=3", "drop:at=5", "drop:at=6", "ignored_edge:at=8")
    camera, _, target = started(cameras, settings())
    outcomes: list[Outcome] = []
    for number in range(1, 11):
        line.edge()
        exposed = number - (number >= 8)
        wait_for(lambda exposed=exposed: line.tallies(0).exposed == exposed)  # type: ignore[misc]  # a default in a lambda has no type
        while (outcome := camera.grab_into(memoryview(target), 0.2)) is not None:
            outcomes.append(outcome)
    assert short(outcomes) == [
        ("frame", 1, 1),
        ("frame", 2, 1),
        ("incomplete", 3, 1),  # its chunk was lost, the line counter told its number
        ("frame", 4, 1),
        ("lost_transport", 5, 2),
        ("frame", 7, 1),
        ("frame", 9, 1),  # 8 was never exposed: only the numbers show it
        ("frame", 10, 1),
    ]
    assert camera.poll_trigger_counter() == 10


def test_a_damaged_number_is_a_loss_and_never_a_number(lines: Lines, cameras: list[GenicamCamera]) -> None:
    line = lines("corrupt_number:at=1", "corrupt_number:at=3", "corrupt_number:at=6")
    camera, _, target = started(cameras, settings())
    outcomes: list[Outcome] = []
    for _ in range(4):
        line.edge()
        outcomes += all_outcomes(camera, target)
    for _ in range(4):  # they wait at the producer: the counter is ahead of the damaged one
        line.edge()
    wait_for(lambda: line.tallies(0).delivered == 8)
    outcomes += all_outcomes(camera, target)
    assert short(outcomes) == [
        ("incomplete", None, 1),  # nothing is known before the first
        ("frame", 2, 1),
        ("incomplete", 3, 1),
        ("frame", 4, 1),
        ("frame", 5, 1),
        ("incomplete", None, 1),
        ("frame", 7, 1),
        ("frame", 8, 1),
    ]


def test_whole_frames_without_their_number_are_losses_and_told(lines: Lines, cameras: list[GenicamCamera]) -> None:
    line = lines()
    camera, _, target = started(cameras, settings({"ChunkSelector": "CounterValue", "ChunkEnable": False}))
    for _ in range(2):
        line.edge()
    assert short(all_outcomes(camera, target)) == [("incomplete", None, 1)] * 2
    line.edge()
    with pytest.raises(CameraError, match="sent 3 whole frames in a row without a trigger number"):
        all_outcomes(camera, target)


def test_a_chunk_of_another_counter_than_the_polled_one_is_told(lines: Lines, cameras: list[GenicamCamera]) -> None:
    line = lines()
    line.edge()
    camera, _, target = started(cameras, settings({"CounterSelector": "Counter1"}))
    for _ in range(3):
        line.edge()
    with pytest.raises(
        CameraError, match=r"numbers frames 2 to 4 while its counter stands at 0; allowed: .*CounterSelector"
    ):
        all_outcomes(camera, target)


def test_without_numbers_losses_are_the_account(lines: Lines, cameras: list[GenicamCamera]) -> None:
    line = lines("incomplete:at=3", "drop:at=5", "drop:at=6")
    camera, info, target = started(cameras, settings(trigger_number="", trigger_counter=""))
    assert not info.counts_triggers
    assert camera.poll_trigger_counter() is None
    for _ in range(8):
        line.edge()
    wait_for(lambda: line.tallies(0).exposed == 8)
    outcomes = all_outcomes(camera, target)
    assert sum(count for _, _, count in short(outcomes)) == 8
    assert {number for _, number, _ in short(outcomes)} == {None}


def test_an_incomplete_frame_does_not_stretch_the_timeout(lines: Lines, cameras: list[GenicamCamera]) -> None:
    line = lines("incomplete:p=1.0")
    camera, _, target = started(cameras, settings())
    line.edge()
    assert camera.grab_into(memoryview(target), 5.0) == Loss(LossKind.incomplete, None)
    assert camera.grab_into(memoryview(target), 0.05) is None


def test_frames_without_a_free_buffer_are_lost_by_name(lines: Lines, cameras: list[GenicamCamera]) -> None:
    line = lines()
    camera, _, target = started(cameras, settings(buffers=3))
    for exposed in range(1, 9):
        line.edge()
        wait_for(lambda exposed=exposed: line.tallies(0).delivered + line.tallies(0).underrun == exposed)  # type: ignore[misc]  # a default in a lambda has no type
    underrun = line.tallies(0).underrun
    assert underrun > 0
    outcomes = all_outcomes(camera, target)
    line.edge()
    outcomes += all_outcomes(camera, target)
    lost = [outcome for outcome in outcomes if isinstance(outcome, Loss)]
    assert {loss.kind for loss in lost} == {LossKind.lost_buffer}
    assert sum(loss.count for loss in lost) == underrun
    assert [frame.trigger_number for frame in outcomes if isinstance(frame, FrameInfo)] == [
        *range(1, 9 - underrun),
        9,
    ]


def test_frames_of_before_a_stop_are_gone(lines: Lines, cameras: list[GenicamCamera]) -> None:
    line = lines()
    camera, _, target = started(cameras, settings())
    line.edge()
    line.edge()
    wait_for(lambda: line.tallies(0).delivered == 2)
    camera.stop()
    camera.start()
    line.edge()
    assert next_frame(camera, target).trigger_number == 3


def test_software_triggers_where_the_camera_takes_them(lines: Lines, cameras: list[GenicamCamera]) -> None:
    lines()
    software: dict[str, Feature] = {
        "TriggerSource": "Software",
        "CounterSelector": "Counter1",
        "ChunkCounterSelector": "Counter1",
    }
    camera, _, target = started(cameras, settings(software))
    for number in (1, 2, 3):
        camera.trigger_software()
        assert next_frame_untriggered(camera, target).trigger_number == number


def test_a_software_trigger_is_refused_where_the_line_triggers(lines: Lines, cameras: list[GenicamCamera]) -> None:
    lines()
    camera, _, target = started(cameras, settings())
    with pytest.raises(CameraError, match="takes no software trigger now; allowed: TriggerMode"):
        camera.trigger_software()
    assert camera.grab_into(memoryview(target), 0.05) is None


def test_order_of_features_matters_and_the_message_says_so(lines: Lines) -> None:
    lines()
    camera = GenicamCamera(settings({"AcquisitionFrameRate": 5.0, "Width": 64, "OffsetX": 300}))
    with pytest.raises(CameraError, match=r"feature OffsetX: refuses 300 .*; allowed: 0 to 256"):
        camera.connect()


@pytest.mark.parametrize(
    ("number", "message"),
    [("ChunkEncoderValue", "has no feature ChunkEncoderValue; allowed: near names: .*ChunkCounterValue")],
)
def test_a_chunk_that_the_camera_has_not(number: str, message: str, lines: Lines) -> None:
    lines()
    with pytest.raises(CameraError, match=message):
        GenicamCamera(settings(trigger_number=number)).connect()


def test_a_lost_camera_is_noticed_and_comes_back(lines: Lines, cameras: list[GenicamCamera]) -> None:
    line = lines()
    camera, _, target = started(cameras, settings())
    line.edge()
    assert next_frame(camera, target).trigger_number == 1
    line.lose(0, 1.5)
    with pytest.raises(CameraLost, match=r"camera SIM-0 of .*: feature Width: does not answer"):
        all_outcomes(camera, target)
    camera.disconnect()
    with pytest.raises(CameraError, match="shows no camera"):
        camera.connect()
    line.edge()  # passes while the camera is away
    wait_for(lambda: connects(camera))
    camera.start()
    line.edge()
    frame = next_frame(camera, target)
    assert frame.trigger_number == camera.poll_trigger_counter()


def hold(chosen: GenicamSettings, ready: "multiprocessing.Queue[bool]") -> None:
    """In a process of its own: acquire until killed."""
    camera = GenicamCamera(chosen)
    target = memoryview(target_for(camera.connect()))
    camera.start()
    ready.put(True)
    while os.getppid() != 1:
        camera.grab_into(target, 0.5)


@pytest.mark.time_limit_s(60)
def test_a_killed_process_leaves_a_camera_that_can_be_set_up(lines: Lines, cameras: list[GenicamCamera]) -> None:
    line = lines()
    context = multiprocessing.get_context("spawn")
    ready: multiprocessing.Queue[bool] = context.Queue()
    holder = context.Process(target=hold, args=(settings(), ready))
    holder.start()
    try:
        assert ready.get(timeout=30)
        line.edge()
        wait_for(lambda: line.tallies(0).delivered == 1)
    finally:
        holder.kill()
        holder.join()
    camera, info, target = started(cameras, settings({"Width": 160}))
    assert info.width == 160
    line.edge()
    assert next_frame(camera, target).trigger_number == 2


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 15.0
    while not condition():
        assert time.monotonic() < until, "waited 15 s"
        time.sleep(0.01)


def connects(camera: GenicamCamera) -> bool:
    try:
        camera.connect()
    except CameraError:
        return False
    return True


def next_frame_untriggered(camera: GenicamCamera, target: bytearray) -> FrameInfo:
    outcome = camera.grab_into(memoryview(target), 5.0)
    assert isinstance(outcome, FrameInfo)
    return outcome
