"""The infer worker against a ledger that the test plays."""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.camera_settings import SyntheticSettings
from pipeline.clock import monotonic_ns
from pipeline.config import InferSettings, Station
from pipeline.errors import ConfigError, DatumdError, RecipeError
from pipeline.frame import FrameInfo, PixelFormat
from pipeline.inspectors import load_inspectors
from pipeline.messages import Abandoned, Dispatched, InferHello, Inspected, Released
from pipeline.result import Evaluation, KeypointState
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import RingLayout, SlotWord
from pipeline.runtime import Runtime
from pipeline.vitals import Vitals, VitalWord
from pipeline.workers.infer import InferWorker
from tests.played_ledger import PlayedLedger
from tests.recipes import frame_with_part, make_recipe
from tests.unit.pipeline.workers.played_ledger import Surroundings, in_thread, surroundings

SESSION = 7
VIEWS = ["top", "side"]
PICTURE = frame_with_part()
GOOD, PICKY = 1, 2  # the second recipe misses keypoint d in every part


@pytest.fixture(scope="session")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipes")
    make_recipe(folder / "good", VIEWS, number=GOOD)
    make_recipe(folder / "picky", VIEWS, number=PICKY, logits=(8, 8, 8, -8))
    make_recipe(folder / "draft", VIEWS, number=3, sealed=False)
    make_recipe(folder / "narrow", ["top"], number=4)
    return folder


@dataclass
class Bench:
    """One infer worker in a thread, the ring, and the ledger that the test plays."""

    ring: FrameRing
    ledger: PlayedLedger
    vitals: Vitals
    worker: InferWorker
    generation: int = 0

    @property
    def warmed(self) -> int:
        return self.vitals.read(0, VitalWord.warmed)

    def released(self) -> list[int]:
        return [self.ring.word(slot, SlotWord.released) for slot in range(6)]

    def turn_until(self, is_so: Callable[[], bool]) -> None:
        """Let the worker turn, in this thread, until it is so."""
        until_ns = monotonic_ns() + 10 * 10**9
        while not is_so():
            assert monotonic_ns() < until_ns
            self.worker.turn()

    def turn_until_released(self, *generations: int) -> None:
        """The same until the first slots are released with these."""
        self.turn_until(lambda: self.released()[: len(generations)] == list(generations))

    def frame(self, slot: int, camera: int = 0) -> int:
        """Lay a part into a slot, as a camera does; returns the slot's generation."""
        self.generation += 1
        self.ring.grant(slot, self.generation, camera)
        self.ring.payload(slot)[: PICTURE.size] = PICTURE.tobytes()
        info = FrameInfo(256, 256, PixelFormat.Mono8, 0, None, None, None, monotonic_ns(), 0)
        self.ring.accept(slot, self.generation, camera, info)
        return self.generation

    def dispatch(self, part: int, recipe: int, slot: int, view: str, *, complete: bool, session: int = SESSION) -> int:
        """Lay a part into a slot, and tell the worker to inspect it."""
        generation = self.frame(slot)
        order = Dispatched(part, view, view, slot, generation, complete, recipe, os.getpid(), session)
        self.ledger.tell("infer.0", order)
        return generation

    def answer(self) -> Inspected:
        message = self.ledger.hear(Inspected)
        assert isinstance(message, Inspected)
        return message

    def told(self) -> Released | Inspected:
        message = self.ledger.hear(Released, Inspected)
        assert isinstance(message, Released | Inspected)
        return message

    def hello(self) -> InferHello:
        message = self.ledger.hear()
        assert isinstance(message, InferHello)
        return message

    def finds_d(self) -> set[bool]:
        """Whether the next answer's views see keypoint d, which tells the recipe."""
        (answer,) = self.answer().answers
        assert {keypoint.view for keypoint in answer.keypoints} == set(VIEWS)
        return {keypoint.state is KeypointState.visible for keypoint in answer.keypoints if keypoint.name == "d"}


def station_of(name: str, recipes: Path, keep_warm_ms: float = 0.0, batch: int = 1) -> Station:
    return Station(
        format=1,
        station=name,
        recipes=str(recipes),
        camera={view: SyntheticSettings() for view in VIEWS},
        recipe=GOOD,
        infer=InferSettings(keep_warm_ms=keep_warm_ms, batch=batch),
    )


@contextmanager
def at_bench(station: Station, run_dir: Path, now_ns: Callable[[], int] = monotonic_ns) -> Iterator[Bench]:
    """The worker does not run."""
    runtime = Runtime(station, str(run_dir), str(run_dir), ["infer.0"])
    with surroundings(Surroundings, runtime, RingLayout(6, 256 * 256, 2)) as around:
        inspectors = load_inspectors(runtime.station, GOOD, lambda: None, is_required=True)
        with closing(InferWorker(around.context("infer.0"), inspectors, now_ns)) as worker:
            yield Bench(around.ring, around.ledger, around.vitals, worker)


@pytest.fixture
def bench(run_dir: Path, station_name: str, recipes: Path) -> Iterator[Bench]:
    with at_bench(station_of(station_name, recipes), run_dir) as bench, in_thread(bench.worker):
        yield bench


def test_the_hello_waits_for_a_ledger_and_tells_of_every_recipe(bench: Bench) -> None:
    assert bench.ledger.hear(timeout_ms=100) is None
    bench.ring.begin_session(SESSION)
    hello = bench.hello()
    assert (hello.worker, hello.pid, hello.session) == ("infer.0", os.getpid(), SESSION)
    assert [(recipe.number, recipe.name, not recipe.fault) for recipe in hello.recipes] == [
        (GOOD, "good", True),
        (PICKY, "picky", True),
        (3, "draft", False),
        (4, "narrow", False),
    ]
    assert all(bool(recipe.configuration_id) != bool(recipe.fault) for recipe in hello.recipes)
    assert "not sealed" in hello.recipes[2].fault
    assert "the cameras give the views side, top, recipe narrow has top" in hello.recipes[3].fault


def test_a_part_is_inspected_by_the_recipe_that_it_was_dispatched_with(bench: Bench) -> None:
    bench.ring.begin_session(SESSION)
    bench.hello()
    bench.dispatch(1, GOOD, 0, "top", complete=False)
    bench.dispatch(2, PICKY, 1, "top", complete=False)
    bench.dispatch(2, PICKY, 2, "side", complete=True)
    bench.dispatch(1, GOOD, 3, "side", complete=True)
    bench.dispatch(3, PICKY, 4, "side", complete=False)
    bench.dispatch(3, GOOD, 5, "top", complete=True)  # which no ledger does
    assert bench.finds_d() == {False}
    assert bench.finds_d() == {True}
    assert bench.finds_d() == {False}


def test_a_recipe_that_is_not_here_gets_an_answer_without_a_verdict(bench: Bench) -> None:
    bench.ring.begin_session(SESSION)
    bench.hello()
    first = bench.dispatch(1, 99, 0, "top", complete=False)
    second = bench.dispatch(1, 99, 1, "side", complete=True)
    told = bench.answer()
    assert told.frames == [(0, first), (1, second)]
    assert [(answer.evaluation, answer.reasons[0].code, answer.reasons[0].name) for answer in told.answers] == [
        (Evaluation.UNDEFINED, "recipe_missing", "99")
    ]
    bench.dispatch(2, GOOD, 2, "top", complete=False)
    bench.dispatch(2, GOOD, 3, "side", complete=True)
    assert bench.finds_d() == {True}


def test_a_new_ledger_is_told_again_what_is_not_published(bench: Bench) -> None:
    bench.ring.begin_session(SESSION)
    bench.hello()
    first = []
    for part in range(4):  # one view in slots 0 to 3, the other in slot 4 in turn, closed each time
        first.append(bench.dispatch(part, GOOD, part, "top", complete=False))
        second = bench.dispatch(part, GOOD, 4, "side", complete=True)
        bench.answer()
        bench.ring.close_slot(4, second)
    bench.ring.close_slot(0, first[0])  # published
    bench.frame(1)  # granted anew
    bench.ring.begin_session(SESSION + 1)
    assert bench.hello().session == SESSION + 1
    again = [bench.answer(), bench.answer()]
    assert [told.frames[0][0] for told in again] == [2, 3]
    assert all(len(told.answers) == 1 for told in again)
    assert bench.ledger.hear(timeout_ms=100) is None
    bench.ring.begin_session(SESSION + 2)  # and the next is told again, without a repetition of the same
    bench.hello()
    assert [bench.answer().frames[0][0] for _ in range(2)] == [2, 3]
    assert bench.ledger.hear(timeout_ms=100) is None


def test_orders_of_another_ledger_and_to_another_process_are_void(bench: Bench) -> None:
    bench.ring.begin_session(SESSION)
    bench.hello()
    bench.dispatch(1, GOOD, 0, "top", complete=True, session=SESSION - 1)
    order = Dispatched(1, "top", "top", 0, bench.frame(0), True, GOOD, os.getpid() + 1, SESSION)
    bench.ledger.tell("infer.0", order)
    bench.dispatch(1, PICKY, 1, "top", complete=False)
    bench.ledger.tell("infer.0", Abandoned(1, SESSION - 1))
    bench.dispatch(1, PICKY, 2, "side", complete=True)
    told = bench.answer()
    assert [slot for slot, _ in told.frames] == [1, 2]


def test_a_part_that_a_dead_ledger_began_is_forgotten(bench: Bench) -> None:
    bench.ring.begin_session(SESSION)
    bench.hello()
    bench.dispatch(1, PICKY, 0, "top", complete=False)
    assert isinstance(bench.ledger.hear(), Released)
    bench.ring.begin_session(SESSION + 1)
    bench.hello()
    bench.dispatch(1, GOOD, 1, "top", complete=False, session=SESSION + 1)
    bench.dispatch(1, GOOD, 2, "side", complete=True, session=SESSION + 1)
    assert bench.finds_d() == {True}


def test_networks_are_kept_warm_only_between_parts(run_dir: Path, station_name: str, recipes: Path) -> None:
    now = itertools.count(0, 10**9)  # whenever the worker looks, a second is over: it is always time
    with at_bench(station_of(station_name, recipes, keep_warm_ms=500.0), run_dir, lambda: next(now)) as bench:
        bench.ring.begin_session(SESSION)
        for _ in range(2):  # both views have the same two networks
            assert bench.warmed == 0
            bench.worker.turn()
        assert bench.warmed == 1
        bench.hello()
        for part in range(3):
            bench.dispatch(part, PICKY, 2 * part, "top", complete=False)
            bench.dispatch(part, PICKY, 2 * part + 1, "side", complete=True)
        for _ in range(10_000):
            if 0 not in bench.released():
                break
            before, warmed = bench.released(), bench.warmed
            bench.worker.turn()
            gave = sum(now != then for now, then in zip(bench.released(), before, strict=True))
            assert gave == 0 or bench.warmed == warmed  # a turn with an order ends without a run for nothing
            if gave % 2:  # a part is under way
                warmed = bench.warmed
                bench.worker.turn()
                assert bench.warmed == warmed
        assert [bench.finds_d() for _ in range(3)] == [{False}] * 3
        warmed = bench.warmed
        for _ in range(8):
            bench.worker.turn()
        assert bench.warmed == warmed + 4


def test_while_a_view_is_awaited_no_network_is_run_for_nothing(run_dir: Path, station_name: str, recipes: Path) -> None:
    now = itertools.count(0, 10**9)
    with at_bench(station_of(station_name, recipes, keep_warm_ms=500.0), run_dir, lambda: next(now)) as bench:
        bench.ring.begin_session(SESSION)
        bench.worker.turn()
        bench.hello()
        generation = bench.dispatch(1, GOOD, 0, "top", complete=False)
        bench.turn_until_released(generation)
        warmed = bench.warmed
        for _ in range(8):
            bench.worker.turn()
        assert bench.warmed == warmed
        bench.ledger.tell("infer.0", Abandoned(1, SESSION))
        bench.turn_until(lambda: bench.warmed == warmed + 1)


def test_views_that_wait_and_are_alike_are_inspected_at_once_and_no_other_part_with_them(
    run_dir: Path, station_name: str, recipes: Path
) -> None:
    with at_bench(station_of(station_name, recipes, batch=2), run_dir) as bench:
        bench.ring.begin_session(SESSION)
        bench.worker.turn()
        bench.hello()
        told: list[Released | Inspected] = []
        for part in range(0, 60, 2):  # all orders of two parts have come before the worker looks, sooner or later
            places = [(part, 0, "top"), (part + 1, 1, "top"), (part, 2, "side"), (part + 1, 3, "side")]
            given = [bench.dispatch(one, PICKY, slot, view, complete=slot > 1) for one, slot, view in places]
            time.sleep(0.005 * part)
            bench.turn_until_released(*given)
            told = [bench.told(), bench.told()]
            if all(isinstance(one, Inspected) for one in told):
                break
            while sum(isinstance(one, Inspected) for one in told) < 2:
                told.append(bench.told())
        first, second = told
        assert isinstance(first, Inspected)
        assert isinstance(second, Inspected)
        assert first.released == first.frames == [(0, given[0]), (2, given[2])]
        assert second.released == second.frames == [(1, given[1]), (3, given[3])]
        for answer in (first.answers[0], second.answers[0]):
            assert {point.view for point in answer.keypoints} == set(VIEWS)
            assert {point.state is KeypointState.visible for point in answer.keypoints if point.name == "d"} == {False}


def test_unless_it_is_asked_for_every_frame_is_inspected_by_itself(bench: Bench) -> None:
    bench.ring.begin_session(SESSION)
    bench.hello()
    for part in range(3):
        given = [bench.dispatch(part, GOOD, slot, view, complete=slot > 0) for slot, view in enumerate(VIEWS)]
        first, second = bench.told(), bench.told()
        assert isinstance(second, Inspected)
        assert (first.released, second.released) == ([(0, given[0])], [(1, given[1])])


def test_a_part_is_answered_the_same_beside_networks_kept_warm(run_dir: Path, station_name: str, recipes: Path) -> None:
    answers = []
    for keep_warm_ms in (0.0, 1.0):
        with at_bench(station_of(station_name, recipes, keep_warm_ms), run_dir) as bench, in_thread(bench.worker):
            bench.ring.begin_session(SESSION)
            bench.hello()
            until = monotonic_ns() + 10 * 10**9
            while keep_warm_ms and bench.warmed < 3 and monotonic_ns() < until:
                time.sleep(0.001)
            assert (bench.warmed > 0) == (keep_warm_ms > 0)
            bench.dispatch(1, GOOD, 0, "top", complete=False)
            bench.dispatch(1, GOOD, 1, "side", complete=True)
            (answer,) = bench.answer().answers
            answers.append((answer.evaluation, answer.keypoints, sorted(answer.stages_ns)))
    assert answers[0] == answers[1]


def test_progress_is_told_between_recipes_and_their_reference_frames(station_name: str, recipes: Path) -> None:
    told: list[int] = []
    station = station_of(station_name, recipes)
    inspectors = load_inspectors(station, PICKY, lambda: told.append(len(told)), is_required=True)
    assert set(inspectors.by_number) == {GOOD, PICKY}
    views = [view for one in inspectors.by_number.values() for view in one.recipe.views.values()]
    frames = sum(len(view.references) for view in views)
    assert frames >= 2
    assert len(told) == 4 + frames


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (3, RecipeError, r"draft: the recipe is not sealed; next: datumd seal"),
        (4, ConfigError, r"recipe narrow has top"),
        (5, RecipeError, r"has no recipe of number 5"),
        (None, RecipeError, r"several recipes and none is chosen"),
    ],
)
def test_a_recipe_that_is_required_must_be_good(
    station_name: str, recipes: Path, number: int | None, error: type[DatumdError], message: str
) -> None:
    station = station_of(station_name, recipes)
    with pytest.raises(error, match=message):
        load_inspectors(station, number, lambda: None, is_required=True)
    assert set(load_inspectors(station, number, lambda: None, is_required=False).by_number) == {GOOD, PICKY}


def test_one_recipe_at_least_must_be_good(station_name: str, tmp_path: Path) -> None:
    make_recipe(tmp_path / "draft", VIEWS, sealed=False)
    with pytest.raises(RecipeError, match=r"holds no recipe that can be used; next: datumd check"):
        load_inspectors(station_of(station_name, tmp_path), GOOD, lambda: None, is_required=False)
