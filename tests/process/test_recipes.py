"""Recipes with real processes: selected at a part boundary while triggers come, refused, and remembered."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.client import Control, RequestRefused, Subscription
from pipeline.clock import monotonic_ns
from pipeline.result import KeypointState, Result, ResultState
from pipeline.status import StationState
from simulator.child import DaemonProcess, LineProcess
from simulator.producer import cti_path
from tests.process.test_daemon import workers_of
from tests.recipes import make_recipe
from tests.stations import Heard, any_free_port, hear, hear_until, running, simulated_camera, write_station

VIEWS = ["top", "side"]
GOOD, PICKY = 1, 2  # the second recipe misses keypoint d in every part
LINE = ["--source", "pattern", "--devices", "2", "--rate-hz", "40", "--triggers", "80"]
READY = (StationState.Ready, StationState.ContinuousExecution)

pytestmark = pytest.mark.time_limit_s(180)


@dataclass
class Bench:
    """A station of two views with its recipes, its line, and where it answers requests."""

    station: Path
    port: int
    control_port: int
    line: LineProcess
    cameras: str
    heard: Heard = field(default_factory=Heard)

    def control(self) -> Control:
        return Control(f"tcp://127.0.0.1:{self.control_port}", timeout_s=30.0)  # a busy disk is no loss either

    def write(self, recipe: int, name: str, metrics_port: int) -> None:
        """The station file, with its recipe."""
        control = f'[control]\nbind = "tcp://127.0.0.1:{self.control_port}"\n'
        slow = "[part]\ndeadline_ms = 5000\n[ring]\nslot_mb = 2\nqueue_depth = 30\n"  # a busy machine is no loss
        rest = f"recipe = {recipe}\n{self.cameras}{control}{slow}"
        write_station(self.station.parent, name, self.station.parent / "recipes", self.port, metrics_port, rest)

    def assert_each_answered_once(self) -> None:
        edges = {edge.trigger_number for edge in self.line.log().edges}
        answered = self.heard.triggers()
        assert set(answered) == edges
        assert set(answered.values()) == {1}

    def assert_no_part_is_of_two_recipes(self) -> None:
        """Keypoint d tells the recipe by which each view was inspected."""
        for result in self.heard.results:
            assert result.product_id == {GOOD: "good", PICKY: "picky"}[result.recipe_id]
            if result.result_state is ResultState.COMPLETED:
                states = {point.view: point.state for point in result.keypoints if point.name == "d"}
                wanted = KeypointState.visible if result.recipe_id == GOOD else KeypointState.hidden
                assert states == dict.fromkeys(VIEWS, wanted)


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipes")
    make_recipe(folder / "good", VIEWS, number=GOOD)
    make_recipe(folder / "picky", VIEWS, number=PICKY, logits=(8, 8, 8, -8))
    make_recipe(folder / "narrow", ["top"], number=3)
    return folder


@pytest.fixture
def bench(run_dir: Path, recipes: Path, station_name: str, free_port: Callable[[], int]) -> Iterator[Bench]:
    shutil.copytree(recipes, run_dir / "recipes")
    line = LineProcess(run_dir, LINE)
    cameras = "".join(simulated_camera(view, number, cti_path()) for number, view in enumerate(VIEWS))
    bench = Bench(run_dir / "station.toml", free_port(), free_port(), line, cameras)
    bench.write(GOOD, station_name, free_port())
    yield bench
    line.close()


@dataclass
class Selected:
    """A recipe that was selected between these two times of the monotonic clock."""

    number: int
    asked_ns: int
    told_ns: int


class Selecting:
    """Selects one recipe after the other, in a thread of its own."""

    def __init__(self, bench: Bench, numbers: list[int], pause_s: float) -> None:
        self.done: list[Selected] = []
        self._bench, self._numbers, self._pause_s = bench, numbers, pause_s
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Selecting":
        self._thread.start()
        return self

    def _run(self) -> None:
        with self._bench.control() as control:
            for number in self._numbers:
                asked = monotonic_ns()
                control.select_recipe(number)
                self.done.append(Selected(number, asked, monotonic_ns()))
                time.sleep(self._pause_s)

    def __exit__(self, *_: object) -> None:
        self._thread.join()


def wanted(result: Result, done: list[Selected]) -> set[int]:
    """The recipes by which a part may be inspected: the last one that was told when it was opened, or one asked for since.

    The ledger chooses when it hears of the part, which is up to some milliseconds after the camera has: that is `opened`.
    """
    opened, answered = result.times["opened_monotonic_ns"], result.times["answered_monotonic_ns"]
    settled = [one.number for one in done if one.told_ns <= opened]
    since = [one.number for one in done if one.told_ns > opened and one.asked_ns <= answered]
    return {([GOOD, *settled])[-1], *since}


def test_a_recipe_is_selected_between_two_parts_and_no_trigger_is_lost(bench: Bench) -> None:
    numbers = [PICKY, GOOD] * 8
    with running(bench.station, bench.port, bench.line.environment) as (_, subscription):
        bench.line.go()
        hear(subscription, bench.heard, triggers=10, quiet_s=0.0)
        with Selecting(bench, numbers, 0.07) as selecting:
            hear(subscription, bench.heard, triggers=80)
    bench.assert_each_answered_once()
    bench.assert_no_part_is_of_two_recipes()
    assert len(selecting.done) == len(numbers)
    assert all(result.result_state is ResultState.COMPLETED for result in bench.heard.results)
    assert all(result.recipe_id in wanted(result, selecting.done) for result in bench.heard.results)
    changes = [
        (before, after)
        for before, after in zip(bench.heard.results, bench.heard.results[1:], strict=False)
        if before.recipe_id != after.recipe_id
    ]
    assert len(changes) >= 5


def test_a_number_that_cannot_be_selected_keeps_the_old_recipe_and_raises_error(bench: Bench) -> None:
    with running(bench.station, bench.port, bench.line.environment) as (_, subscription), bench.control() as control:
        assert [(entry.number, entry.selected, bool(entry.fault)) for entry in control.recipes()] == [
            (GOOD, True, False),
            (PICKY, False, False),
            (3, False, True),
        ]
        bench.line.go()
        for number, refusal in ((7, "there is no recipe 7"), (3, "recipe narrow has top")):
            with pytest.raises(RequestRefused, match=refusal):
                control.select_recipe(number)
            heard = Heard()
            hear_until(subscription, heard, lambda status: status.state == StationState.Error)
            assert heard.status is not None
            assert refusal in heard.status.text
            assert heard.status.recipe_id == GOOD
            bench.heard.results += heard.results
        control.select_recipe(GOOD)
        hear_until(subscription, bench.heard, lambda status: status.state in READY)
        hear(subscription, bench.heard, triggers=80)
    bench.assert_each_answered_once()
    assert {(result.recipe_id, result.result_state) for result in bench.heard.results} == {
        (GOOD, ResultState.COMPLETED)
    }


def test_infer_is_killed_while_recipes_are_selected(bench: Bench) -> None:
    with running(bench.station, bench.port, bench.line.environment) as (daemon, subscription):
        bench.line.go()
        hear(subscription, bench.heard, triggers=10, quiet_s=0.0)
        with Selecting(bench, [PICKY, GOOD] * 5, 0.1) as selecting:
            os.kill(workers_of(daemon)["infer.0"], signal.SIGKILL)
            hear(subscription, bench.heard, triggers=80)
    bench.assert_each_answered_once()
    bench.assert_no_part_is_of_two_recipes()
    assert all(result.recipe_id in wanted(result, selecting.done) for result in bench.heard.results)
    assert bench.heard.results[-1].result_state is ResultState.COMPLETED


def starts_with(subscription: Subscription, number: int) -> None:
    hear_until(subscription, Heard(), lambda status: status.state in READY and status.recipe_id == number)


def test_the_selection_survives_the_ledger_and_the_daemon_until_the_station_file_is_changed(
    bench: Bench, station_name: str
) -> None:
    with running(bench.station, bench.port, bench.line.environment) as (daemon, subscription):
        with bench.control() as control:
            control.select_recipe(PICKY)
        bench.line.go()
        hear(subscription, bench.heard, triggers=20, quiet_s=0.0)
        os.kill(workers_of(daemon)["ledger"], signal.SIGKILL)
        hear(subscription, bench.heard, triggers=80)
        bench.assert_each_answered_once()
        assert {result.recipe_id for result in bench.heard.results} == {PICKY}
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.close()
    with running(bench.station, bench.port, bench.line.environment) as (_, subscription):
        starts_with(subscription, PICKY)
    (bench.station.parent / "recipes" / "picky" / "recipe.lock").unlink()
    another = LineProcess(bench.station.parent, LINE)
    daemon = DaemonProcess(bench.station, another.environment)
    try:  # nobody can inspect by the selected recipe, and nobody inspects by another in its place
        with Subscription(f"tcp://127.0.0.1:{bench.port}") as subscription, bench.control() as control:
            heard = Heard()
            hear_until(subscription, heard, lambda status: "recipe 2 cannot be selected: " in status.text)
            assert heard.status is not None
            assert heard.status.state is StationState.Error
            another.go()
            hear(subscription, heard, triggers=3, quiet_s=0.0)
            assert {reason.code for result in heard.results for reason in result.reasons} == {"recipe_missing"}
            control.select_recipe(GOOD)
            starts_with(subscription, GOOD)
    finally:
        daemon.close()
        another.close()
    bench.write(PICKY, station_name, any_free_port())
    refused = DaemonProcess(bench.station, bench.line.environment)
    until = time.monotonic() + 20
    while refused.is_running and time.monotonic() < until:
        time.sleep(0.05)
    assert refused.close() == 2
    assert "picky: the recipe is not sealed; next: datumd seal" in refused.words()
