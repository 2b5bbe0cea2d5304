"""The grab worker against a ledger that the test plays."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.camera_settings import FolderSettings, SyntheticSettings
from pipeline.messages import (
    Accepted,
    CameraHello,
    CameraStatus,
    Counted,
    Exhausted,
    Fire,
    Fired,
    FromLedger,
    Granted,
    Lost,
    ToLedger,
)
from pipeline.ring.layout import SlotWord
from tests.unit.pipeline.workers.played_ledger import SESSION, SIDE, Scene, at_work, scene

PID = os.getpid()
NEXT = SESSION + 1


def camera(**settings: object) -> SyntheticSettings:
    chosen = {"width": SIDE, "height": SIDE, "rate_hz": 0.0, "frames": "tests.pictures:plain"} | settings
    return SyntheticSettings(**chosen)  # type: ignore[arg-type]  # settings by name


def up(baseline: int | None) -> CameraStatus:
    text = f"datumd synthetic seed 0 {SIDE}x{SIDE} Mono8"
    return CameraStatus("top", up=True, text=text, counts_triggers=True, is_simulated=True, baseline=baseline)


@pytest.fixture
def free_running(run_dir: Path, station_name: str) -> Iterator[Scene]:
    with scene(run_dir, station_name, {"top": camera()}) as made, at_work(made.worker("top")):
        yield made


@pytest.fixture
def by_software(run_dir: Path, station_name: str) -> Iterator[Scene]:
    with scene(run_dir, station_name, {"top": camera(triggers="software")}) as made, at_work(made.worker("top")):
        assert made.ledger.hear(CameraStatus) == up(0)
        yield made


def tell(made: Scene, *messages: FromLedger) -> None:
    for message in messages:
        made.ledger.tell("grab.top", message)


def hear(made: Scene, *kinds: type[ToLedger]) -> ToLedger | None:
    return made.ledger.hear(*kinds)


def test_slots_that_were_granted_to_the_forerunner_of_this_process_are_not_filled(free_running: Scene) -> None:
    assert hear(free_running) == CameraHello("top", PID, SESSION)
    assert hear(free_running) == up(0)
    tell(free_running, Granted(0, 7, PID + 1, SESSION), Granted(1, 8, PID, SESSION - 1), Granted(2, 9, PID, SESSION))
    assert hear(free_running, Accepted) == Accepted("top", 2, 9)


def test_nothing_is_said_before_there_is_a_ledger_and_then_all(run_dir: Path, station_name: str) -> None:
    with scene(run_dir, station_name, {"top": camera()}, session=0) as made, at_work(made.worker("top")):
        assert made.ledger.hear(timeout_ms=300) is None
        made.ring.begin_session(SESSION)
        assert [hear(made), hear(made)] == [CameraHello("top", PID, SESSION), up(0)]


def test_a_new_ledger_hears_all_and_what_the_old_one_granted_is_void(by_software: Scene) -> None:
    tell(by_software, Granted(0, 1, PID, SESSION), Granted(1, 2, PID, SESSION), Fire(5, PID, SESSION))
    assert hear(by_software, Fired, Accepted) == Fired("top", 5, 1)
    assert hear(by_software, Fired, Accepted) == Accepted("top", 0, 1)
    by_software.ring.begin_session(NEXT)
    assert hear(by_software) == CameraHello("top", PID, NEXT)
    assert hear(by_software) == up(None)
    assert hear(by_software) == Counted("top", 1)
    tell(by_software, Fire(6, PID, SESSION), Fire(7, PID, NEXT), Granted(2, 3, PID, NEXT))
    assert hear(by_software) == Fired("top", 7, 2)
    assert hear(by_software) == Accepted("top", 2, 3)
    assert by_software.ring.word(1, SlotWord.accepted) == 0


def test_a_new_ledger_hears_of_a_camera_that_is_down(run_dir: Path, station_name: str) -> None:
    absent = FolderSettings(path=str(run_dir / "absent"))
    with scene(run_dir, station_name, {"top": absent}) as made, at_work(made.worker("top")):
        status = hear(made, CameraStatus)
        assert isinstance(status, CameraStatus)
        assert not status.up
        assert "absent: cannot be read (No such file or directory)" in status.text
        made.ring.begin_session(NEXT)
        assert [hear(made), hear(made)] == [CameraHello("top", PID, NEXT), status]
        tell(made, Fire(1, PID, NEXT))
        assert hear(made, Fired) == Fired("top", 1, None, status.text)


def test_a_new_ledger_hears_that_there_are_no_more_frames(run_dir: Path, station_name: str) -> None:
    ends = camera(triggers="software", limit=1)
    with scene(run_dir, station_name, {"top": ends}) as made, at_work(made.worker("top")):
        hear(made, CameraStatus)
        tell(made, Granted(0, 1, PID, SESSION), Fire(1, PID, SESSION))
        assert hear(made, Exhausted) == Exhausted("top")
        made.ring.begin_session(NEXT)
        assert hear(made) == CameraHello("top", PID, NEXT)
        assert [hear(made), hear(made), hear(made)] == [up(None), Exhausted("top"), Counted("top", 1)]
        tell(made, Fire(2, PID, NEXT))
        assert hear(made) == Fired("top", 2, None, "the camera has no more frames")


def test_software_triggers_get_the_numbers_of_their_frames(by_software: Scene) -> None:
    for number in range(1, 5):
        tell(by_software, Fire(100 + number, PID, SESSION), Granted(number, number, PID, SESSION))
        assert hear(by_software, Fired, Accepted, Lost, Counted) == Fired("top", 100 + number, number)
        assert hear(by_software, Fired, Accepted, Lost, Counted) == Accepted("top", number, number)
        assert by_software.ring.info(number).trigger_number == number


def test_a_camera_that_takes_no_software_trigger_says_so(free_running: Scene) -> None:
    hear(free_running, CameraStatus)
    tell(free_running, Fire(1, PID, SESSION))
    fired = hear(free_running, Fired)
    assert isinstance(fired, Fired)
    assert (fired.trigger, fired.number) == (1, None)
    assert "takes no software trigger" in fired.fault


def test_frames_that_do_not_fit_into_a_slot_are_told(run_dir: Path, station_name: str) -> None:
    with scene(run_dir, station_name, {"top": camera(width=128)}) as made, at_work(made.worker("top")):
        status = hear(made, CameraStatus)
        assert isinstance(status, CameraStatus)
        assert status.text == (
            "camera top: frames of 0.01 MiB do not fit into a slot; allowed: at most 0.00 MiB;"
            " next: raise ring.slot_mb in the station file"
        )
