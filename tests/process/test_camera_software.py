"""Software triggers on the simulated GenICam camera, as the grab worker gives them."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pipeline.camera_settings import Feature, GenicamSettings, OutputSettings
from pipeline.clock import monotonic_ns
from pipeline.messages import Accepted, CameraStatus, Counted, Fire, Fired, Granted, Lost, Passed, ToLedger
from simulator.content import PatternContent
from simulator.line import Line
from simulator.line_log import read_log
from simulator.producer import LINE_VARIABLE, cti_path
from tests.unit.pipeline.workers.played_ledger import SESSION, Scene, at_work, scene

WIDTH, HEIGHT = 64, 48
PID = os.getpid()
SOFTWARE: dict[str, Feature] = {
    "TriggerSelector": "FrameStart",
    "TriggerMode": "On",
    "TriggerSource": "Software",
    "CounterSelector": "Counter1",
    "ChunkCounterSelector": "Counter1",
}


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.setenv(LINE_VARIABLE, str(tmp_path / "line"))
    content = PatternContent(width=WIDTH, height=HEIGHT, pictures=8)
    with Line(tmp_path / "line", content, log_path=tmp_path / "log") as made:
        yield made


def settings(features: dict[str, Feature]) -> GenicamSettings:
    return GenicamSettings(
        producer=str(cti_path()),
        serial="SIM-0",
        features=features,
        trigger_number="ChunkCounterValue",
        trigger_counter="CounterValue",
    )


def wait_for(line: Line, level: bool) -> None:
    until = time.monotonic() + 10
    while line.is_high(0) is not level:
        assert time.monotonic() < until
        time.sleep(0.001)


def answers(made: Scene) -> tuple[ToLedger | None, ToLedger | None]:
    return made.ledger.hear(Fired, Accepted, Lost, Counted), made.ledger.hear(Fired, Accepted, Lost, Counted)


def test_each_software_trigger_gets_its_number_and_then_its_frame(
    line: Line, run_dir: Path, station_name: str, tmp_path: Path
) -> None:
    with scene(run_dir, station_name, {"top": settings(SOFTWARE)}) as made, at_work(made.worker("top")):
        status = made.ledger.hear(CameraStatus)
        assert isinstance(status, CameraStatus)
        assert (status.up, status.baseline) == (True, 0)
        for number in range(1, 6):
            line.edge()  # the line goes on: its edges are no triggers of this camera
            made.ledger.tell("grab.top", Granted(number, number, PID, SESSION))
            made.ledger.tell("grab.top", Fire(70 + number, PID, SESSION))
            assert answers(made) == (Fired("top", 70 + number, number), Accepted("top", number, number))
            assert made.ring.info(number).trigger_number == number
    line.finish()
    assert read_log(tmp_path / "log").software == tuple(("SIM-0", number) for number in range(1, 6))


def test_a_camera_that_counts_something_else_did_not_take_the_trigger(
    line: Line, run_dir: Path, station_name: str
) -> None:
    of_the_line = SOFTWARE | {"CounterSelector": "Counter0"}
    with scene(run_dir, station_name, {"top": settings(of_the_line)}) as made, at_work(made.worker("top")):
        made.ledger.hear(CameraStatus)
        made.ledger.tell("grab.top", Fire(1, PID, SESSION))
        assert made.ledger.hear(Fired) == Fired("top", 1, None, "the camera's counter did not move")
    assert line.tallies(0).software_triggers == 1


def test_a_camera_that_listens_to_the_line_refuses_software_triggers(
    line: Line, run_dir: Path, station_name: str
) -> None:
    by_line = SOFTWARE | {"TriggerSource": "Line1"}
    with scene(run_dir, station_name, {"top": settings(by_line)}) as made, at_work(made.worker("top")):
        made.ledger.hear(CameraStatus)
        made.ledger.tell("grab.top", Fire(1, PID, SESSION))
        fired = made.ledger.hear(Fired)
        assert isinstance(fired, Fired)
        assert fired.number is None
        assert 'allowed: TriggerMode = "On" and TriggerSource = "Software"' in fired.fault
    assert line.tallies(0).software_triggers == 0


def test_a_part_that_passes_in_time_is_a_pulse_on_the_output(line: Line, run_dir: Path, station_name: str) -> None:
    wired: dict[str, Feature] = {"LineSelector": "Line2", "LineSource": "UserOutput1"}
    camera = msgspec.structs.replace(settings(SOFTWARE | wired), output=OutputSettings(pulse_ms=50.0))
    with scene(run_dir, station_name, {"top": camera}) as made:
        with at_work(made.worker("top")):
            made.ledger.hear(CameraStatus)
            for _ in range(2):
                made.ledger.tell("grab.top", Passed(monotonic_ns() + 10**9, PID, SESSION))
                wait_for(line, level=True)
                wait_for(line, level=False)
            made.ledger.tell("grab.top", Passed(monotonic_ns() - 1, PID, SESSION))
            made.ledger.tell("grab.top", Passed(monotonic_ns() + 10**9, PID, SESSION - 1))
            until = time.monotonic() + 0.2
            while time.monotonic() < until:
                assert not line.is_high(0)
            made.ledger.tell("grab.top", Passed(monotonic_ns() + 10**9, PID, SESSION))
            wait_for(line, level=True)
        assert not line.is_high(0)


def test_an_output_that_the_camera_has_not_is_told(line: Line, run_dir: Path, station_name: str) -> None:
    camera = msgspec.structs.replace(settings(SOFTWARE), output=OutputSettings(name="UserOutput9"))
    with scene(run_dir, station_name, {"top": camera}) as made, at_work(made.worker("top")):
        status = made.ledger.hear(CameraStatus)
        assert isinstance(status, CameraStatus)
        assert not status.up
        assert "UserOutputSelector" in status.text
    assert line.tallies(0).exposed == 0
