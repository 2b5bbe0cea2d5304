"""A whole station whose cameras count: software triggers at camera level, and counters that do not agree any more."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest

from pipeline.client import Control, Subscription, find_control
from pipeline.result import Result, ResultState
from pipeline.status import Status
from simulator.content import FolderContent
from simulator.fault import FaultKind
from simulator.line import Line
from simulator.producer import LINE_VARIABLE, cti_path
from tests.recipes import frame_with_part, make_recipe
from tests.stations import Heard, hear, hear_until, running, simulated_camera, write_station

pytestmark = pytest.mark.time_limit_s(120)

BY_SOFTWARE = (
    '{ TriggerSelector = "FrameStart", TriggerMode = "On", TriggerSource = "Software",'
    ' CounterSelector = "Counter1", ChunkCounterSelector = "Counter1" }'
)


@pytest.fixture
def line(run_dir: Path, session_id: str) -> Iterator[Line]:
    (run_dir / "parts").mkdir()
    cv2.imwrite(str(run_dir / "parts" / "1.png"), frame_with_part())
    state = Path(f"/dev/shm/datumd-test-{session_id}-line")  # noqa: S108 - shared memory is where it has to be
    with Line(state, FolderContent(run_dir / "parts"), devices=2) as made:
        yield made


@pytest.fixture
def station(run_dir: Path, station_name: str, session_id: str, free_port: Callable[[], int]) -> "Station":
    return Station(run_dir, station_name, free_port(), free_port(), f"/dev/shm/datumd-test-{session_id}-line")  # noqa: S108 - shared memory is where it is


class Station:
    """Two views of each part."""

    def __init__(self, folder: Path, name: str, port: int, metrics_port: int, line: str) -> None:
        self._folder, self._name, self._ports, self._line = folder, name, (port, metrics_port), line

    @contextmanager
    def running(self, features: str = "") -> Iterator[tuple[Subscription, Control]]:
        """The daemon, with other `features` of its cameras."""
        make_recipe(self._folder / "recipes" / "part", ["top", "side"])
        rest = simulated_camera("top", 0, cti_path()) + simulated_camera("side", 1, cti_path())
        if features:
            rest = "".join(
                f"features = {features}\n" if text.startswith("features") else text for text in rest.splitlines(True)
            )
        rest += "[part]\ndeadline_ms = 1000\n[ring]\nslot_mb = 2\n"
        path = write_station(self._folder, self._name, self._folder / "recipes", *self._ports, rest)
        with (
            running(path, self._ports[0], {LINE_VARIABLE: self._line}) as (_, subscription),
            Control(find_control(f"tcp://127.0.0.1:{self._ports[0]}")) as control,
        ):
            yield subscription, control


def pass_parts(line: Line, count: int) -> None:
    for _ in range(count):
        line.edge()
        time.sleep(0.05)


def whole(results: list[Result]) -> list[int | None]:
    return [result.trigger_number for result in results if result.result_state is ResultState.COMPLETED]


def test_software_triggers_are_counted_by_the_cameras_and_answered_by_their_number(
    line: Line, station: Station
) -> None:
    heard = Heard()
    with station.running(BY_SOFTWARE) as (subscription, control):
        pass_parts(line, 3)  # the cameras do not listen to the line
        given = []
        for number in range(1, 7):
            given.append((number, control.trigger(f"part {number}"), f"part {number}"))
            hear(subscription, heard, triggers=number, quiet_s=0.0)
        hear(subscription, heard, triggers=6)
    assert [(one.trigger_number, one.software_trigger, one.part_id) for one in heard.results] == given
    assert whole(heard.results) == list(range(1, 7))
    assert [line.tallies(device).software_triggers for device in (0, 1)] == [6, 6]


def test_a_camera_that_lost_its_power_counts_otherwise_until_the_station_is_resynchronised(
    line: Line, station: Station
) -> None:
    heard = Heard()

    def is_back(status: Status) -> bool:
        return status.cameras[1].up

    with station.running() as (subscription, control):
        pass_parts(line, 5)
        hear(subscription, heard, triggers=5, quiet_s=0.0)
        line.lose(1, 0.2, FaultKind.POWER_LOSS)
        hear_until(subscription, heard, lambda status: not is_back(status))
        hear_until(subscription, heard, is_back)
        pass_parts(line, 4)
        hear(subscription, heard, triggers=9, quiet_s=0.3)
        control.resynchronise()
        pass_parts(line, 4)
        hear(subscription, heard, triggers=13)
        hear_until(subscription, heard, lambda status: status.state == "ContinuousExecution")
    assert heard.triggers() == Counter(range(1, 14))
    assert whole(heard.results) == [*range(1, 6), *range(10, 14)]
    assert {number for number, codes in heard.reasons().items() if codes} == set(range(6, 10))
    assert set().union(*heard.reasons().values()) == {"trigger_mismatch"}
