"""A camera that is away for long, or comes back as another: in the time of a clock that the test turns."""

import gc
import logging
import os
import threading
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.camera_settings import CameraSettings, FolderSettings, SyntheticSettings
from pipeline.messages import Accepted, CameraHello, CameraStatus, Granted
from tests.unit.pipeline.workers.played_ledger import SESSION, SIDE, QuickClock, Scene, at_work, scene

PID = os.getpid()
HOUR_S, SETTLED_S = 3600.0, 600.0


class HourClock(QuickClock):
    """After an hour of sleep the camera's folder is there."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.held_bytes: dict[float, int] = {}
        self._folder = folder

    def sleep(self, seconds: float) -> None:
        for moment in (SETTLED_S, HOUR_S):
            if self.now_s < moment <= self.now_s + seconds:
                gc.collect()
                self.held_bytes[moment] = held_bytes()
                if moment == HOUR_S:
                    write_picture(self._folder, SIDE)
        super().sleep(seconds)


def held_bytes() -> int:
    """Memory that is held, but for messages: on a busy machine the ledger has not heard all of them yet."""
    but_for = [tracemalloc.Filter(False, f"*/pipeline/{name}.py") for name in ("messages", "workers/line")]
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(but_for).traces)


def write_picture(folder: Path, side: int) -> None:
    """Whole at once: the worker may look at any moment."""
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder.parent / "next.png"), np.full((side, side), 99, np.uint8))
    (folder.parent / "next.png").replace(folder / "1.png")


def keep_side_going(made: Scene) -> tuple[int, int]:
    """Grant the other camera slot after slot until the absent one is up: how many frames, and attempts, that took."""
    frames = attempts = 0
    while True:
        match made.ledger.hear(CameraHello, CameraStatus, Accepted):
            case CameraHello("side"):
                made.ledger.tell("grab.side", Granted(0, 1, PID, SESSION))
            case Accepted("side", _, generation):
                frames += 1
                made.ledger.tell("grab.side", Granted(0, generation + 1, PID, SESSION))
            case CameraStatus("top") as status:
                if status.up:
                    return frames, attempts
                attempts += 1
            case None:
                raise AssertionError("nothing was heard for 10 s")


def test_a_camera_absent_for_an_hour_comes_back_by_itself_while_the_other_goes_on(
    run_dir: Path, station_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = run_dir / "absent"
    cameras: dict[str, CameraSettings] = {
        "top": FolderSettings(path=str(folder), repeat=True),
        "side": SyntheticSettings(width=SIDE, height=SIDE, rate_hz=100.0, frames="tests.pictures:plain"),
    }
    clock, threads = HourClock(folder), threading.active_count()  # a library that another test used may keep one
    tracemalloc.start()
    try:
        with caplog.at_level(logging.ERROR), scene(run_dir, station_name, cameras) as made:
            side, top = made.worker("side"), made.worker("top", clock)
            with at_work(side), at_work(top):
                frames, attempts = keep_side_going(made)
                made.ledger.tell("grab.top", Granted(1, 1, PID, SESSION))
                while (heard := made.ledger.hear(Accepted)) != Accepted("top", 1, 1):
                    assert heard is not None
    finally:
        tracemalloc.stop()
    assert HOUR_S < clock.now_s < HOUR_S + 31
    assert 120 <= attempts <= 126  # 1, 2, 4, 8, 16, then every 30 s
    assert frames > 20
    assert clock.held_bytes[HOUR_S] - clock.held_bytes[SETTLED_S] < 60_000  # 100 attempts; pytest keeps 20 kB of log
    assert len(caplog.records) in {6, 7}  # at once, and every ten minutes
    assert threading.active_count() == threads


def test_a_camera_that_comes_back_with_other_pictures_is_refused_until_they_are_as_before(
    run_dir: Path, station_name: str
) -> None:
    folder = run_dir / "pictures"
    write_picture(folder, SIDE)
    before = f"{SIDE}x{SIDE} Mono8"
    with scene(run_dir, station_name, {"top": FolderSettings(path=str(folder), repeat=True)}) as made:
        with at_work(made.worker("top")):
            assert said(made) == (True, f"datumd folder pictures {before}")
        write_picture(folder, SIDE // 2)
        with at_work(made.worker("top", QuickClock())):
            is_up, text = said(made)
            assert not is_up
            assert text.startswith(f"camera top: gives 32x32 Mono8 now; allowed: {before} as when the daemon started")
            write_picture(folder, SIDE)
            while not (answer := said(made))[0]:
                assert answer[1] == text
            assert answer == (True, f"datumd folder pictures {before}")


def said(made: Scene) -> tuple[bool, str]:
    status = made.ledger.hear(CameraStatus)
    assert isinstance(status, CameraStatus)
    return status.up, status.text
