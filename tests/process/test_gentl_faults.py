"""What goes wrong at the simulated GenICam camera, and what a consumer then sees through harvesters."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.content import PatternContent, pattern
from simulator.fault import Fault, FaultKind
from simulator.line import Line
from simulator.line_log import read_log
from tests.process.gentl_consumer import (
    HEIGHT,
    LINE_TRIGGER,
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


def test_the_cameras_of_a_replaced_line_are_lost(state: Path) -> None:
    with Line(state, small()) as old, Session(state, "lose_and_find", **LINE_TRIGGER) as session:
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


def test_killing_the_consumer_does_not_reset_the_camera(state: Path) -> None:
    with Line(state, small()) as line:
        with Session(state, "grab", serial="SIM-0", frames=99, ExposureTime=2000.0, **LINE_TRIGGER) as session:
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
