"""The simulated GenICam camera through harvesters, as a consumer sees it, and through a C program under sanitizers."""

import json
import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import DatumdError
from simulator.content import Content, PatternContent, pattern
from simulator.fault import Fault, FaultKind
from simulator.line import Line
from simulator.line_log import read_log
from simulator.producer import LINE_VARIABLE, cti_path

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("gentl_driver.c")
PATIENCE_S = 30.0
WIDTH, HEIGHT = 64, 48

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    try:
        cti_path()
    except DatumdError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def state(session_id: str) -> Iterator[Path]:
    path = Path(f"/dev/shm/datumd-test-{session_id}-line")  # noqa: S108 - shared memory is where it has to be
    yield path
    path.unlink(missing_ok=True)


def small() -> PatternContent:
    return PatternContent(width=WIDTH, height=HEIGHT)


class Session(AbstractContextManager["Session"]):
    """A session of tests.process.gentl_session; reads what it says, line by line, and wants it to end well."""

    def __init__(self, state: Path, name: str, **arguments: object) -> None:
        command = [sys.executable, "-m", "tests.process.gentl_session", name, json.dumps(arguments)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, LINE_VARIABLE: str(state)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def hear(self) -> dict[str, Any]:
        line = self._lines.get(timeout=PATIENCE_S)
        assert line, f"the session ended: {self.process.stderr.read() if self.process.stderr else ''}"
        said: dict[str, Any] = json.loads(line)
        return said

    def hear_all(self, count: int) -> list[dict[str, Any]]:
        return [self.hear() for _ in range(count)]

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> str:
        """Wait for its end; returns what it wrote to standard error."""
        assert self.process.wait(timeout=PATIENCE_S) == 0
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=PATIENCE_S)

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        self._reader.join(timeout=PATIENCE_S)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)


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


def test_killing_the_consumer_does_not_reset_the_camera(state: Path) -> None:
    with Line(state, small()) as line:
        with Session(state, "grab", serial="SIM-0", frames=99, ExposureTime=2000.0, **_LINE_TRIGGER) as session:
            session.hear()
            wait_for(line.is_grabbing)
            for _ in range(5):
                line.edge()
            assert [frame["number"] for frame in session.hear_all(5)] == [1, 2, 3, 4, 5]
            session.kill()
        assert not line.is_grabbing()
        for _ in range(4):
            line.edge()
        with Session(state, "grab", serial="SIM-0", frames=2) as session:
            assert session.hear() == {"counter": 9}
            wait_for(line.is_grabbing)
            line.edge()
            line.edge()
            frames = session.hear_all(2)
            session.end()
        assert [frame["number"] for frame in frames] == [10, 11]
        assert [frame["exposure_us"] for frame in frames] == [2000.0, 2000.0]


_LINE_TRIGGER = {"TriggerMode": "On", "TriggerSource": "Line1", "ChunkModeActive": True}


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


def test_content_that_is_rewritten_under_the_camera_is_never_delivered_as_good(state: Path) -> None:
    many = PatternContent(width=WIDTH, height=HEIGHT, pictures=41)
    with (
        Line(state, many, pool=4, nominal_exposure_us=50.0) as line,
        Session(state, "grab", serial="SIM-0", frames=400, buffers=500, patience_s=1.0) as session,
    ):
        session.hear()
        wait_for(line.is_grabbing)
        for _ in range(400):
            line.edge()
        frames = []
        while "incomplete" not in (said := session.hear()):
            frames.append(said)
        session.end()
        torn = line.tallies(0).torn
    assert torn == said["incomplete"] == 400 - len(frames)
    assert frames
    assert torn > 0  # four images for a line that does not wait: some were rewritten before they were read
    numbers = [frame["number"] for frame in frames]
    levels = [int(pattern(0, (n - 1) % 41, width=WIDTH, height=HEIGHT).reshape(-1)[100]) for n in numbers]
    assert [frame["level"] for frame in frames] == levels


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


def test_every_fault_at_a_frame_happens_where_it_was_planned(state: Path, tmp_path: Path) -> None:
    log = tmp_path / "line.jsonl"
    plan = [
        Fault(FaultKind.INCOMPLETE, at=3),
        Fault(FaultKind.DROP, at=5),
        Fault(FaultKind.IGNORED_EDGE, at=7),
        Fault(FaultKind.EXTRA_EDGE, at=9),
        Fault(FaultKind.DARK, at=10),
        Fault(FaultKind.LAST_EDGE_LOST),
    ]
    with (
        Line(state, small(), log_path=log, faults=plan, triggers=12) as line,
        Session(state, "grab", serial="SIM-0", frames=9, buffers=32) as session,
    ):
        session.hear()
        wait_for(line.is_grabbing)
        for _ in range(12):
            line.edge()
        line.finish()
        frames = session.hear_all(9)
        assert session.hear() == {"incomplete": 1, "counter": 13}
        session.end()
        tallies = line.tallies(0)
    # edge 10 is the extra one, so parts 10 to 12 are edges 11 to 13
    assert [frame["number"] for frame in frames] == [1, 2, 4, 6, 8, 9, 10, 11, 12]
    assert [frame["frame_id"] for frame in frames] == [1, 2, 4, 6, 7, 8, 9, 10, 11]  # dropped ones leave a gap
    assert frames[7]["level"] <= 0.02 * 251 + 1
    assert frames[6]["level"] == frames[5]["level"]  # the extra edge saw the same part again
    assert (tallies.exposed, tallies.delivered, tallies.incomplete, tallies.dropped) == (12, 10, 1, 2)
    written = read_log(log)
    assert {edge.trigger_number: edge.faults for edge in written.edges if edge.faults} == {
        3: {"incomplete": [0]},
        5: {"drop": [0]},
        7: {"ignored_edge": [0]},
        9: {"extra_edge": [0]},
        10: {"extra_edge": [0]},
        11: {"dark": [0]},
        13: {"last_edge_lost": [0]},
    }
    assert written.edges[9].part_id is None
    assert written.triggers == 13


def test_a_lost_camera_fails_to_answer_and_can_be_opened_again(state: Path) -> None:
    with Line(state, small()) as line, Session(state, "lose_and_find") as session:
        wait_for(line.is_grabbing)
        line.edge()
        assert session.hear()["number"] == 1
        line.lose(0, 2.0)
        assert "lost" in session.hear()
        line.edge()
        assert session.hear() == {"was_gone": True}
        assert session.hear() == {"grabbing": True}
        line.edge()
        frame = session.hear()
        assert (frame["number"], frame["frame_id"]) == (3, 1)  # triggered by the line: its settings were still there
        session.end()


def test_a_hanging_producer_does_not_come_back_in_time(state: Path) -> None:
    with Line(state, small()) as line, Session(state, "wait_through", timeout_s=0.05) as session:
        wait_for(line.is_grabbing)
        line.hang(0, 1.5)
        session.go_on()
        said = session.hear()
        assert not said["frame"]
        assert said["seconds"] > 0.5
        session.end()


def test_edges_that_find_no_free_buffer_are_lost_but_counted(state: Path) -> None:
    with Line(state, small()) as line, Session(state, "hold_all", buffers=4, wait_s=10.0) as session:
        wait_for(line.is_grabbing)
        for _ in range(7):
            line.edge()
        assert session.hear() == {"held": [1, 2, 3, 4]}
        assert session.hear() == {"underrun": 3}
        session.hear()
        line.edge()
        frame = session.hear()
        assert (frame["number"], frame["frame_id"]) == (8, 8)
        session.end()


def test_a_free_running_camera_needs_no_edges(state: Path) -> None:
    free = {"TriggerMode": "Off", "ChunkModeActive": True, "AcquisitionFrameRate": 200.0}
    with Line(state, small()), Session(state, "grab", serial="SIM-0", frames=10, buffers=16, **free) as session:
        session.hear()
        frames = session.hear_all(10)
        session.end()
    stamps = [frame["timestamp_ns"] for frame in frames]
    assert all(earlier < later for earlier, later in pairwise(stamps))
    assert frames[0]["frame_id"] == 1


def test_a_camera_has_one_owner_until_that_dies(state: Path) -> None:
    with Line(state, small(), devices=2):
        with Session(state, "open_only", serial="SIM-0") as owner:
            assert owner.hear() == {"opened": "SIM-0"}
            with Session(state, "open_only", serial="SIM-0") as other:
                assert other.hear() == {"refused": "AccessDeniedException"}
                other.end()
            with Session(state, "open_only", serial="SIM-1") as neighbour:
                assert neighbour.hear() == {"opened": "SIM-1"}
                neighbour.go_on()
                neighbour.end()
            owner.kill()
        with Session(state, "open_only", serial="SIM-0") as heir:
            assert heir.hear() == {"opened": "SIM-0"}
            heir.go_on()
            heir.end()


def test_the_cameras_of_a_replaced_line_are_lost(state: Path) -> None:
    with Line(state, small()) as old, Session(state, "lose_and_find", **_LINE_TRIGGER) as session:
        wait_for(old.is_grabbing)
        old.edge()
        session.hear()
        with Line(state, small()) as new:
            assert "lost" in session.hear()
            session.hear()
            assert session.hear() == {"grabbing": True}
            assert new.is_grabbing()
            new.edge()
            assert session.hear()["number"] == 1  # the new line counts from its own start
            session.end()


def compiled(target: Path, *flags: str) -> Path:
    command = [
        "cc",
        "-std=c11",
        "-D_GNU_SOURCE",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pthread",
        f"-I{ROOT}/simulator/gentl",
    ]
    subprocess.run([*command, *flags, str(DRIVER), "-o", str(target), "-ldl"], check=True, cwd=ROOT)
    return target


def sanitized_producer(target: Path, flags: str) -> Path:
    command = [sys.executable, "setup.py", "-q", "build_cti", "--output", str(target)]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "CFLAGS": flags}, capture_output=True)
    return target


def drive(state: Path, *command: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, LINE_VARIABLE: str(state)}
    words = [str(word) for word in command]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=100, check=False)


@needs_compiler
def test_all_calls_are_clean_under_address_and_undefined_sanitizers(state: Path, tmp_path: Path) -> None:
    flags = "-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
    driver = compiled(tmp_path / "driver", *shlex.split(flags))
    producer = sanitized_producer(tmp_path / "sanitized.cti", flags)
    with Line(state, PatternContent(width=128, height=96)):
        done = drive(state, driver, producer, "walk")
    assert (done.returncode, done.stderr) == (0, "")


@needs_compiler
def test_all_calls_are_clean_under_the_thread_sanitizer(state: Path, tmp_path: Path) -> None:
    flags = "-g -O1 -fsanitize=thread -Wno-error=tsan"
    driver = compiled(tmp_path / "driver", *shlex.split(flags))
    producer = sanitized_producer(tmp_path / "sanitized.cti", flags)
    with Line(state, PatternContent(width=128, height=96)):
        done = drive(state, driver, producer, "walk")
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("the thread sanitizer cannot run under this kernel's address randomisation")
    assert (done.returncode, done.stderr) == (0, "")


@needs_compiler
@pytest.mark.needs_debian("valgrind", program="valgrind")
def test_all_calls_are_clean_under_valgrind(state: Path, tmp_path: Path) -> None:
    driver = compiled(tmp_path / "driver", "-g")
    with Line(state, PatternContent(width=128, height=96)):
        options = ["-q", "--error-exitcode=9", "--leak-check=full", "--fair-sched=yes"]
        done = drive(state, "valgrind", *options, driver, cti_path(), "walk")
    assert (done.returncode, done.stderr) == (0, "")


@needs_compiler
def test_a_state_file_that_is_none_shows_no_devices(state: Path, tmp_path: Path) -> None:
    driver = compiled(tmp_path / "driver", "-g")
    with Line(state, small()):
        sound = state.read_bytes()
    broken = tmp_path / "broken"
    for content in (b"", b"no line at all", bytes(8192), sound[:5000], sound[:-4096], patched(sound, 12, 200)):
        broken.write_bytes(content)
        done = drive(broken, driver, cti_path(), "devices")
        assert (done.returncode, done.stdout) == (0, "0\n")
    broken.write_bytes(sound)
    assert drive(broken, driver, cti_path(), "devices").stdout == "1\n"
    assert drive(tmp_path / "absent", driver, cti_path(), "devices").stdout == "0\n"


def patched(content: bytes, offset: int, value: int) -> bytes:
    """A header that claims another number of devices than there is room for."""
    return content[:offset] + value.to_bytes(4, "little") + content[offset + 4 :]
