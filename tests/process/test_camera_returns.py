"""A simulated GenICam camera that goes away and comes back otherwise, as the grab worker tells it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.camera_settings import Feature, GenicamSettings
from pipeline.messages import Accepted, CameraStatus, Granted, Lost
from simulator.content import PatternContent
from simulator.fault import FaultKind, parse_fault
from simulator.line import Line
from simulator.producer import LINE_VARIABLE, cti_path
from tests.unit.pipeline.workers.played_ledger import SESSION, QuickClock, Scene, at_work, scene

WIDTH, HEIGHT = 64, 48
PID = os.getpid()
UP = f"datumd Simulated camera SIM-0 {WIDTH}x{HEIGHT} Mono8"
BY_LINE: dict[str, Feature] = {"TriggerSelector": "FrameStart", "TriggerMode": "On", "TriggerSource": "Line1"}


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.setenv(LINE_VARIABLE, str(tmp_path / "line"))
    content = PatternContent(width=WIDTH, height=HEIGHT, pictures=8)
    faults = [parse_fault(text) for text in ("incomplete:at=2", "drop:at=3", "corrupt_number:at=5")]
    with Line(tmp_path / "line", content, faults=faults, counters=[100]) as made:
        yield made


@pytest.fixture
def top(line: Line, run_dir: Path, station_name: str) -> Iterator[Scene]:
    settings = GenicamSettings(
        producer=str(cti_path()),
        serial="SIM-0",
        features=BY_LINE,
        trigger_number="ChunkCounterValue",
        trigger_counter="CounterValue",
    )
    with scene(run_dir, station_name, {"top": settings}) as made, at_work(made.worker("top", QuickClock())):
        assert status(made) == (True, UP, 100)
        line.edge()
        assert taken(made, 1) == 101
        yield made


def status(made: Scene) -> tuple[bool, str, int | None]:
    said = made.ledger.hear(CameraStatus)
    assert isinstance(said, CameraStatus)
    return said.up, said.text, said.baseline


def wait_until_up(made: Scene) -> tuple[set[str], int | None]:
    """What it says until it is up as it was before, and the baseline then."""
    told = set()
    while not (said := status(made))[0]:
        told.add(said[1])
    assert said[1] == UP
    return told, said[2]


def taken(made: Scene, slot: int) -> int | None:
    """The trigger number of the next frame, which this slot is granted for."""
    made.ledger.tell("grab.top", Granted(slot, slot, PID, SESSION))
    assert made.ledger.hear(Accepted) == Accepted("top", slot, slot)
    return made.ring.info(slot).trigger_number


def test_what_is_lost_on_the_way_is_told_with_its_number(line: Line, top: Scene) -> None:
    top.ledger.tell("grab.top", Granted(2, 2, PID, SESSION))
    told = []
    for _ in range(5):
        line.edge()
        said = top.ledger.hear(Lost, Accepted, timeout_ms=300)
        while said is not None:
            if isinstance(said, Accepted):
                told.append(("frame", top.ring.info(said.slot).trigger_number))
                top.ledger.tell("grab.top", Granted(said.slot + 1, 9, PID, SESSION))
            elif isinstance(said, Lost):
                told.append((said.kind.value, said.number))
            said = top.ledger.hear(Lost, Accepted, timeout_ms=100)
    assert told == [("incomplete", 102), ("lost_transport", 103), ("frame", 104), ("incomplete", 105), ("frame", 106)]


def test_the_edges_that_pass_while_it_is_away_stand_in_its_counter(line: Line, top: Scene) -> None:
    line.lose(0, 0.3)
    assert not status(top)[0]
    line.edge()
    line.edge()
    told, baseline = wait_until_up(top)
    assert all("shows no camera" in text for text in told)
    assert baseline == 103
    line.edge()
    assert taken(top, 2) == 104


def test_a_camera_that_lost_its_power_counts_from_0(line: Line, top: Scene) -> None:
    line.lose(0, 0.3, FaultKind.POWER_LOSS)
    assert not status(top)[0]
    assert wait_until_up(top)[1] == 0
    assert line.edge().counters == {"SIM-0": 1}
    # the second part of this line is the one with an incomplete frame; the next is dropped
    line.edge()
    line.edge()
    assert taken(top, 2) == 3


@pytest.mark.parametrize(
    ("kind", "pictures"),
    [(FaultKind.WRONG_FORMAT, f"{WIDTH}x{HEIGHT} RGB8"), (FaultKind.WRONG_SIZE, f"{WIDTH // 2}x{HEIGHT} Mono8")],
)
def test_other_pictures_than_before_are_refused_until_the_camera_is_as_it_was(
    line: Line, top: Scene, kind: FaultKind, pictures: str
) -> None:
    line.lose(0, 0.2, kind)
    while "shows no camera" in (text := status(top)[1]) or "does not answer" in text:
        pass
    assert text.startswith(
        f"camera top: gives {pictures} now; allowed: {WIDTH}x{HEIGHT} Mono8 as when the daemon started"
    )
    line.lose(0, 0.2)
    assert wait_until_up(top)[1] == 101
    for _ in range(3):
        line.edge()
    assert taken(top, 2) == 104
