"""The demonstration: line, daemon and subscriber, and the comparison of the line's log with the answers."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from pipeline.client import Subscription
from pipeline.errors import CameraError, DatumdError
from pipeline.overlay import draw, segments
from pipeline.recipe import load_recipe
from pipeline.result import Evaluation, Result
from pipeline.result_text import Summary, line, percentile
from pipeline.status import Status
from simulator.child import DaemonProcess, LineProcess, sweep
from simulator.producer import cti_path
from simulator.render import Occlusion, PartRenderer

RECIPES = Path(__file__).parents[1] / "examples"
RECIPE, RECIPE_NUMBER, VIEW = "bracket", 1, "top"
MOST_PICTURES = 20
QUIET_LIMIT_S = 3.0  # after the last trigger: several deadlines
STATUS_S = 1.2  # a little longer than from one status message to the next
DEADLINE_MS = 500

GENICAM = """
[camera.top]
producer = "{producer}"
serial = "SIM-0"
trigger_number = "ChunkCounterValue"
trigger_counter = "CounterValue"
features = {{ PixelFormat = "Mono8", TriggerSelector = "FrameStart", TriggerMode = "On", TriggerSource = "Line1" }}
shots = [{{ name = "top", ExposureTime = 1000.0 }}]
"""
SYNTHETIC = """
[camera.top]
type = "synthetic"
rate_hz = {rate}
limit = {triggers}
seed = {seed}
"""
STATION = """format = 1
station = "{station}"
recipes = "{recipes}"
recipe = {recipe}
[part]
deadline_ms = {deadline_ms}
[results]
bind = "tcp://{results}"
[metrics]
bind = "{metrics}"
[archive]
folder = "state"
{camera}"""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What the command line may choose. `triggers` 0 = without end; `page` "" = none; `pictures`: where bad parts are drawn."""

    triggers: int
    rate_hz: float
    seed: int
    results: str
    metrics: str
    page: str = ""
    synthetic: bool = False
    pictures: Path | None = None


class Demo:
    """Processes of a demonstration, all of which end with it."""

    def __init__(self, folder: Path, settings: DemoSettings) -> None:
        self.settings = settings
        self.summary = Summary()
        self._answers: Counter[int | None] = Counter()
        self._answered_ns: dict[int, int] = {}
        self._counted = 0
        self._station = f"demo-{os.getpid()}"
        self._bad: list[Result] = []
        self._early: list[Result] = []
        self._is_halted = False
        if not (RECIPES / RECIPE / "recipe.lock").is_file():
            raise DatumdError("no example recipe here", where=str(RECIPES), next_command="make run, in a checkout")
        producer, self.camera_text = self._choose_camera()
        with ExitStack() as stack:
            self._subscription = stack.enter_context(
                Subscription(f"tcp://{settings.results}", self._station, from_start=True)
            )
            self._line = self._start_line(folder) if producer else None
            if self._line:
                stack.callback(self._line.close)
            self._daemon = DaemonProcess(
                self._write_station(folder, producer), self._line.environment if self._line else {}
            )
            stack.callback(sweep, self._station)
            stack.callback(self._daemon.close)
            self._stack = stack.pop_all()

    def _choose_camera(self) -> tuple[Path | None, str]:
        if self.settings.synthetic:
            return None, "synthetic, in the daemon's own process (asked for)"
        try:
            return cti_path(), "GenICam, simulated: GenTL producer datumd_sim.cti, device SIM-0, line trigger"
        except CameraError as error:
            return (
                None,
                f"synthetic, in the daemon's own process, because there is no simulated GenICam camera: {error}",
            )

    def _start_line(self, folder: Path) -> LineProcess:
        options = ["--rate-hz", str(self.settings.rate_hz), "--seed", str(self.settings.seed)]
        if self.settings.triggers:
            options += ["--triggers", str(self.settings.triggers)]
        return LineProcess(folder, options)

    def _write_station(self, folder: Path, producer: Path | None) -> Path:
        settings = self.settings
        if producer:
            camera = GENICAM.format(producer=producer)
        else:
            camera = SYNTHETIC.format(rate=settings.rate_hz, triggers=settings.triggers, seed=settings.seed)
        page = f'[web]\nbind = "{settings.page}"\n' if settings.page else ""
        text = STATION.format(
            station=self._station,
            recipes=RECIPES,
            recipe=RECIPE_NUMBER,
            deadline_ms=DEADLINE_MS,
            results=settings.results,
            metrics=settings.metrics,
            camera=page + camera,
        )
        path = folder / "station.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def wait_until_ready(self, stopped: Callable[[], bool]) -> None:
        """Until the daemon inspects. Raises DatumdError with the daemon's own words when it does not come up."""
        self._early = self._daemon.wait_until_ready(self._subscription, stopped)

    def start_line(self) -> None:
        """Let the parts come."""
        if self._line:
            self._line.go()

    def results(self, stopped: Callable[[], bool]) -> Iterator[str]:
        """A line for each result, until the last trigger is answered or everything has been quiet for too long."""
        yield from map(self._take, self._early)
        quiet_since = time.monotonic()
        while not self._is_over(time.monotonic() - quiet_since):
            if stopped() and not self._is_halted:
                self._is_halted = True
                if self._line:
                    self._line.halt()
            message = self._subscription.receive(0.2)
            if isinstance(message, Status):
                self._counted = message.triggers
            elif isinstance(message, Result):
                quiet_since = time.monotonic()
                yield self._take(message)

    def _take(self, result: Result) -> str:
        self.summary.add(result)
        if result.part_index == result.part_count - 1:
            self._answers[result.trigger_number] += 1
            if result.trigger_number is not None:
                self._answered_ns.setdefault(result.trigger_number, result.times["answered_monotonic_ns"])
        if result.result_evaluation is not Evaluation.OK and result.views and len(self._bad) < MOST_PICTURES:
            self._bad.append(result)
        return line(result)

    def draw_pictures(self) -> int:
        """Draw the first parts that were not OK, rendered again from the seeds in the line's log. Returns how many."""
        folder = self.settings.pictures
        if folder is None or self._line is None:
            return 0
        folder.mkdir(parents=True, exist_ok=True)
        seeds = {edge.trigger_number: edge.seed for edge in self._line.log().edges}
        lines = segments(load_recipe(RECIPES / RECIPE).file.measure)
        renderer = PartRenderer(RECIPE)
        for result in self._bad:
            seed = seeds.get(result.trigger_number or 0)
            if seed is not None:
                image = renderer.render(seed, occlusion=Occlusion.SPARSE).image
                name = f"{result.trigger_number:06d}-{result.result_evaluation.value}.png"
                cv2.imwrite(str(folder / name), draw(image, result, VIEW, lines))
        return len(self._bad)

    def _is_over(self, quiet_s: float) -> bool:
        if not self._daemon.is_running or (self._is_halted and self._line is None):
            return True
        wanted = self.settings.triggers
        if wanted and self.summary.triggers >= wanted:
            return quiet_s > 2 / self.settings.rate_hz + STATUS_S  # time for an answer too many, and the count, to show
        return (self._is_halted or bool(wanted)) and quiet_s > QUIET_LIMIT_S + 1 / self.settings.rate_hz

    def reconcile(self) -> tuple[str, bool]:
        """The summary, and whether every trigger was answered exactly once."""
        text = self.summary.text()
        twice = sum(count > 1 for count in self._answers.values())
        if self._line is None:
            count = f"{self.summary.triggers} answered, {twice} twice"
            return f"{text}\nthe daemon's own count {self._counted} triggers: {count}", not twice and self._is_whole(
                self.summary.triggers
            )
        edges = {edge.trigger_number: edge.monotonic_ns for edge in self._line.log().edges}
        missing = len(edges.keys() - self._answers.keys())
        unknown = len(self._answers.keys() - edges.keys())
        delays = [(at - edges[number]) / 1e6 for number, at in self._answered_ns.items() if number in edges]
        if delays:
            text += f"\ntrigger to answer  p50 {percentile(delays, 50):.1f} ms, p99 {percentile(delays, 99):.1f} ms"
        text += f"\nthe line's own log {len(edges)} triggers: {missing} unanswered, {twice} answered twice, {unknown} unknown"
        return text, not (missing or twice or unknown) and self._is_whole(len(edges))

    def _is_whole(self, triggers: int) -> bool:
        """Whether the run went to its end: until somebody halted it, or all the triggers that were asked for."""
        return self._daemon.is_running and (self._is_halted or triggers >= self.settings.triggers > 0)

    def close(self) -> None:
        """End the daemon, then the line, so that the last triggers still have their camera."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
