"""The simulated GenICam camera through harvesters, as a consumer sees it: frames, numbers, formats."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.content import Content, pattern
from simulator.line import Line
from simulator.line_log import read_log
from tests.process.gentl_consumer import (
    HEIGHT,
    PATIENCE_S,
    ROOT,
    WIDTH,
    Session,
    skip_without_producer,
    small,
    state_path,
    wait_for,
)


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    skip_without_producer()


@pytest.fixture
def state(session_id: str) -> Iterator[Path]:
    yield from state_path(session_id)


def test_four_cameras_are_listed_and_described_without_a_complaint(state: Path) -> None:
    with Line(state, small(), devices=4), Session(state, "devices") as session:
        assert session.hear() == {"serials": ["SIM-0", "SIM-1", "SIM-2", "SIM-3"]}
        assert session.hear() == {
            "DeviceVendorName": "datumd",
            "DeviceModelName": "Simulated camera",
            "DeviceSerialNumber": "SIM-0",
            "SensorWidth": WIDTH,
            "SensorHeight": HEIGHT,
            "Width": WIDTH,
            "Height": HEIGHT,
            "PixelFormat": "Mono8",
            "PayloadSize": WIDTH * HEIGHT,
            "ExposureTime": 1000.0,
            "Gain": 0.0,
            "TriggerMode": "Off",
            "TriggerSource": "Line1",
            "CounterEventSource": "Line1",
            "CounterValue": 0,
            "LineStatus": False,
            "TLParamsLocked": 0,
            "AcquisitionMode": "Continuous",
        }
        assert session.hear() == {"system": "datumd-sim", "device": "SIM-0", "stream": "SIM-0"}
        assert session.end() == ""


def test_every_edge_gives_one_frame_with_its_number(state: Path, tmp_path: Path) -> None:
    log = tmp_path / "line.jsonl"
    with (
        Line(state, small(), devices=2, log_path=log) as line,
        Session(state, "grab", serial="SIM-1", frames=50, buffers=64) as session,
    ):
        assert session.hear() == {"counter": 0}
        wait_for(lambda: line.is_grabbing(1))
        stamps = [line.edge().monotonic_ns for _ in range(50)]  # far faster than they are fetched
        frames = session.hear_all(50)
        assert session.hear() == {"incomplete": 0, "counter": 50}
        session.end()
        line.finish()
    assert [frame["number"] for frame in frames] == list(range(1, 51))
    assert [frame["frame_id"] for frame in frames] == list(range(1, 51))
    assert all(frame["chunk_frame_id"] == frame["frame_id"] for frame in frames)
    assert all(frame["chunk_timestamp"] == frame["timestamp_ns"] for frame in frames)
    levels = [int(pattern(1, n % 16, width=WIDTH, height=HEIGHT).reshape(-1)[100]) for n in range(50)]
    assert [frame["level"] for frame in frames] == levels
    offsets = {stamp - frame["timestamp_ns"] for stamp, frame in zip(stamps, frames, strict=True)}
    assert len(offsets) == 1  # the camera's clock runs with the host's, from when it got power
    written = read_log(log)
    assert written.triggers == 50
    assert [edge.counters["SIM-1"] for edge in written.edges] == list(range(1, 51))


def unpacked(raw: bytes, pixel_format: str, width: int, height: int) -> NDArray[np.uint16]:
    """Levels, written out for this test from the PFNC's drawings."""
    if pixel_format in ("Mono8", "BayerRG8"):
        return np.frombuffer(raw, np.uint8, width * height).reshape(height, width).astype(np.uint16)
    if pixel_format == "RGB8":
        return np.frombuffer(raw, np.uint8, width * height * 3).reshape(height, width, 3).astype(np.uint16)
    depth = int(pixel_format[4:6])
    packed = np.frombuffer(raw, np.uint8, width * height * depth // 8)
    bits = np.unpackbits(packed, bitorder="little").reshape(-1, depth).astype(np.uint16)
    return (bits << np.arange(depth, dtype=np.uint16)).sum(axis=1, dtype=np.uint16).reshape(height, width)


class Colours:
    """One picture of all sorts of colours."""

    shape: tuple[int, ...] = (HEIGHT, WIDTH, 3)
    pictures = 1

    def image(self, device: int, picture: int) -> NDArray[np.uint8]:
        return np.random.default_rng([device, picture]).integers(0, 256, self.shape, dtype=np.uint8)

    def describe(self, picture: int) -> dict[str, int | str]:
        return {"picture": picture}


def shoot(
    state: Path, folder: Path, content: Content, shots: list[dict[str, Any]]
) -> list[tuple[dict[str, Any], NDArray[np.uint16]]]:
    with Line(state, content), Session(state, "shots", folder=str(folder), shots=shots) as session:
        said = session.hear_all(len(shots))
        session.end()
    results = []
    for number, (frame, shot) in enumerate(zip(said, shots, strict=True), start=1):
        raw = (folder / f"{number}.raw").read_bytes()
        results.append((frame, unpacked(raw, shot.get("PixelFormat", "Mono8"), frame["width"], frame["height"])))
    return results


def test_each_pixel_format_decodes_to_what_the_sensor_sees(state: Path, tmp_path: Path) -> None:
    formats = {"Mono8": 1, "Mono10p": 4, "Mono12p": 16, "BayerRG8": 1, "RGB8": 1}
    results = shoot(state, tmp_path, small(), [{"PixelFormat": name} for name in formats])
    for picture, (name, step) in enumerate(formats.items()):
        frame, levels = results[picture]
        sensor = pattern(0, picture, width=WIDTH, height=HEIGHT).astype(np.uint16) * step
        expected = np.repeat(sensor[:, :, None], 3, axis=2) if name == "RGB8" else sensor
        np.testing.assert_array_equal(levels, expected, err_msg=name)
        assert frame["number"] == picture + 1  # Counter1 counts the software triggers


def test_software_triggers_stand_in_the_log_of_the_line(state: Path, tmp_path: Path) -> None:
    log = tmp_path / "line.jsonl"
    with Line(state, small(), log_path=log) as line:
        with Session(state, "shots", folder=str(tmp_path), shots=[{}, {}, {}]) as session:
            session.hear_all(3)
            session.end()
        assert line.tallies(0).software_triggers == 3
        line.finish()
    assert read_log(log).software == (("SIM-0", 1), ("SIM-0", 2), ("SIM-0", 3))
    assert read_log(log).triggers == 0  # they are no edges of the line


def test_colour_content_is_seen_through_the_filter_of_each_format(state: Path, tmp_path: Path) -> None:
    sensor = Colours().image(0, 0).astype(np.int64)
    colour, bayer, mono = (
        levels
        for _, levels in shoot(
            state, tmp_path, Colours(), [{"PixelFormat": name} for name in ("RGB8", "BayerRG8", "Mono8")]
        )
    )
    np.testing.assert_array_equal(colour, sensor)
    np.testing.assert_array_equal(bayer[0::2, 0::2], sensor[0::2, 0::2, 0])
    np.testing.assert_array_equal(bayer[0::2, 1::2], sensor[0::2, 1::2, 1])
    np.testing.assert_array_equal(bayer[1::2, 0::2], sensor[1::2, 0::2, 1])
    np.testing.assert_array_equal(bayer[1::2, 1::2], sensor[1::2, 1::2, 2])
    grey = sensor @ np.array([0.299, 0.587, 0.114])
    assert np.abs(mono - grey).max() <= 1.0


def test_the_region_of_interest_is_cut_from_the_sensor(state: Path, tmp_path: Path) -> None:
    region = {"Width": 24, "Height": 10, "OffsetX": 12, "OffsetY": 6}
    results = shoot(state, tmp_path, small(), [region, {"PixelFormat": "Mono12p"}, {"PixelFormat": "BayerRG8"}])
    for picture, ((frame, levels), step) in enumerate(zip(results, (1, 16, 1), strict=True)):
        sensor = pattern(0, picture, width=WIDTH, height=HEIGHT).astype(np.uint16) * step
        np.testing.assert_array_equal(levels, sensor[6:16, 12:36])
        assert (frame["x"], frame["y"], frame["width"], frame["height"]) == (12, 6, 24, 10)
    assert results[0][0]["read_back"] == region


def test_brightness_follows_exposure_and_gain_and_saturates(state: Path, tmp_path: Path) -> None:
    shots: list[dict[str, Any]] = [
        {"ExposureTime": 500.4},
        {"ExposureTime": 3000.0},
        {"PixelFormat": "Mono10p"},
        {"PixelFormat": "Mono8", "ExposureTime": 1000.0, "Gain": 6.0},
    ]
    results = shoot(state, tmp_path, small(), shots)
    factors = [0.5, 3.0, 3.0, 10.0 ** (6.0 / 20.0)]
    full_scale = [255, 255, 1023, 255]
    for picture, (factor, full, (frame, levels)) in enumerate(zip(factors, full_scale, results, strict=True)):
        sensor = pattern(0, picture, width=WIDTH, height=HEIGHT) * ((full + 1) / 256 * factor)
        np.testing.assert_allclose(levels, np.minimum(sensor, full), atol=0.51)
        assert frame["exposure_us"] == [500.0, 3000.0, 3000.0, 1000.0][picture]
    assert results[0][0]["read_back"] == {"ExposureTime": 500.0}  # the shutter has steps of 1 us


def test_a_free_running_camera_needs_no_edges(state: Path) -> None:
    free = {"TriggerMode": "Off", "ChunkModeActive": True, "AcquisitionFrameRate": 200.0}
    with Line(state, small()), Session(state, "grab", serial="SIM-0", frames=10, buffers=16, **free) as session:
        session.hear()
        frames = session.hear_all(10)
        session.end()
    stamps = [frame["timestamp_ns"] for frame in frames]
    assert all(earlier < later for earlier, later in pairwise(stamps))
    assert frames[0]["frame_id"] == 1


def test_the_line_process_starts_its_parts_when_its_cameras_are_ready(state: Path, tmp_path: Path) -> None:
    log = tmp_path / "line.jsonl"
    words = [sys.executable, "-m", "simulator.line", "--state", state, "--log", log, "--source", "pattern"]
    words += ["--triggers", 10, "--rate-hz", 200, "--wait-for-cameras", 20, "--linger-s", 20]
    with subprocess.Popen([str(word) for word in words], cwd=ROOT, stdout=subprocess.PIPE, text=True) as line:
        assert line.stdout is not None
        assert line.stdout.readline().startswith("ready")
        with Session(state, "grab", serial="SIM-0", frames=10, buffers=16) as session:
            assert session.hear() == {"counter": 0}
            assert [frame["number"] for frame in session.hear_all(10)] == list(range(1, 11))
            assert session.hear() == {"incomplete": 0, "counter": 10}
            session.end()
        assert line.stdout.readline() == "started\n"
        line.terminate()
        assert line.wait(timeout=PATIENCE_S) == 0
    assert read_log(log).triggers == 10
