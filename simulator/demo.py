"""The demonstration: line, daemon and subscriber, and the comparison of the line's log with the answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.client import Subscription
from pipeline.errors import CameraError, DatumdError
from pipeline.result import Result
from pipeline.result_text import Summary, line, percentile
from pipeline.status import Status
from simulator.line_log import read_log
from simulator.producer import LINE_VARIABLE, cti_path

RECIPES = Path(__file__).parents[1] / "examples"
RECIPE_NUMBER = 1
READY_LIMIT_S = 60.0
QUIET_LIMIT_S = 3.0  # after the last trigger: several deadlines
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
{camera}"""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What the command line may choose. `triggers` 0 = without end."""

    triggers: int
    rate_hz: float
    seed: int
    results: str
    metrics: str
    synthetic: bool = False


class Demo:
    """Processes of a demonstration, all of which end with it."""

    def __init__(self, folder: Path, settings: DemoSettings) -> None:
        self.settings = settings
        self.summary = Summary()
        self._folder = folder
        self._answers: Counter[int | None] = Counter()
        self._answered_ns: dict[int, int] = {}
        self._counted = 0
        self._line: subprocess.Popen[str] | None = None
        self._subscription = Subscription(f"tcp://{settings.results}")
        self._producer, self.camera_text = self._choose_camera()
        if not (RECIPES / "bracket" / "recipe.lock").is_file():
            raise DatumdError(
                "the example recipe is not there", where=str(RECIPES), next_command="run this in a checkout: make run"
            )
        try:
            self._environment = os.environ | {LINE_VARIABLE: f"/dev/shm/datumd-sim-demo-{os.getpid()}"}  # noqa: S108
            if self._producer:
                self._line = self._start_line_process()
            self._daemon = self._start_daemon()
        except BaseException:
            self.close()
            raise

    def _choose_camera(self) -> tuple[Path | None, str]:
        if self.settings.synthetic:
            return None, "synthetic, in the daemon's own process (asked for)"
        try:
            return cti_path(), "GenICam, simulated: GenTL producer datumd_sim.cti, device SIM-0, line trigger"
        except CameraError as error:
            return (
                None,
                f"synthetic, in the daemon's own process, because the simulated GenICam camera is missing: {error}",
            )

    def _start_line_process(self) -> subprocess.Popen[str]:
        """The line stands still until it is told to go."""
        settings = self.settings
        state, log = self._environment[LINE_VARIABLE], str(self._folder / "line.jsonl")
        command = [sys.executable, "-m", "simulator.line", "--state", state, "--log", log, "--hold"]
        command += ["--rate-hz", str(settings.rate_hz), "--seed", str(settings.seed), "--linger-s", "3600"]
        command += ["--triggers", str(settings.triggers)] if settings.triggers else []
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
        )

    def _start_daemon(self) -> subprocess.Popen[str]:
        settings = self.settings
        if self._producer:
            camera = GENICAM.format(producer=self._producer)
        else:
            camera = SYNTHETIC.format(rate=settings.rate_hz, triggers=settings.triggers, seed=settings.seed)
        text = STATION.format(
            station=f"demo-{os.getpid()}",
            recipes=RECIPES,
            recipe=RECIPE_NUMBER,
            deadline_ms=DEADLINE_MS,
            results=settings.results,
            metrics=settings.metrics,
            camera=camera,
        )
        path = self._folder / "station.toml"
        path.write_text(text, encoding="utf-8")
        with (self._folder / "daemon.log").open("w", encoding="utf-8") as log:
            command = [sys.executable, "-m", "pipeline", "run", str(path)]
            return subprocess.Popen(
                command, stdout=log, stderr=log, text=True, env=self._environment, start_new_session=True
            )

    def wait_until_ready(self, stopped: Callable[[], bool]) -> None:
        """Until the daemon inspects. Raises DatumdError with the daemon's own words when it does not come up."""
        until = time.monotonic() + READY_LIMIT_S
        while not stopped():
            message = self._subscription.receive(0.2)
            if isinstance(message, Status) and message.state == "Ready":
                return
            if self._daemon.poll() is not None or time.monotonic() > until:
                raise DatumdError(f"the daemon did not come up:\n{self._log_text()}", where="datumd demo")

    def _log_text(self) -> str:
        lines = (self._folder / "daemon.log").read_text(encoding="utf-8").splitlines()
        return "\n".join(lines[-20:])

    def start_line(self) -> None:
        """Let the parts come."""
        if self._line and self._line.stdin:
            self._line.stdin.write("go\n")
            self._line.stdin.flush()

    def results(self, stopped: Callable[[], bool]) -> Iterator[str]:
        """A line for each result, until the last trigger is answered or everything has been quiet for too long."""
        quiet_since = time.monotonic()
        is_ending = False
        while not self._is_over(quiet_since, is_ending=is_ending):
            if stopped() and not is_ending:
                is_ending = True
                self._stop_line()
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
        return line(result)

    def _is_over(self, quiet_since: float, *, is_ending: bool) -> bool:
        quiet_s = time.monotonic() - quiet_since
        if self._daemon.poll() is not None:
            return True
        wanted = self.settings.triggers
        if wanted and self.summary.triggers >= wanted:
            return quiet_s > 2 / self.settings.rate_hz + 0.5  # time for an answer too many to show
        return (is_ending or bool(wanted)) and quiet_s > QUIET_LIMIT_S + 1 / self.settings.rate_hz

    def _stop_line(self) -> None:
        """No more triggers; the camera and the log stay."""
        if self._line:
            self._line.send_signal(signal.SIGUSR1)
        else:
            self._daemon.send_signal(signal.SIGTERM)

    def reconcile(self) -> tuple[str, bool]:
        """The summary, and whether every trigger was answered exactly once."""
        text = self.summary.text()
        twice = sum(count > 1 for count in self._answers.values())
        if self._producer is None:
            is_complete = twice == 0 and self._counted == self.summary.triggers
            told = f"the camera's own count: {self._counted} triggers, {self.summary.triggers} answered, {twice} twice"
            return f"{text}\n{told}", is_complete
        edges = {edge.trigger_number: edge.monotonic_ns for edge in read_log(self._folder / "line.jsonl").edges}
        missing = len(edges.keys() - self._answers.keys())
        unknown = len(self._answers.keys() - edges.keys())
        delays = [(at - edges[number]) / 1e6 for number, at in self._answered_ns.items() if number in edges]
        if delays:
            text += f"\ntrigger to answer  p50 {percentile(delays, 50):.1f} ms, p99 {percentile(delays, 99):.1f} ms"
        text += f"\nthe line's own log {len(edges)} triggers: {missing} unanswered, {twice} answered twice, {unknown} unknown"
        return text, not (missing or twice or unknown) and bool(edges)

    def close(self) -> None:
        """End the daemon, then the line, so that the last triggers still have their camera."""
        for child in (getattr(self, "_daemon", None), self._line):
            if child is None:
                continue
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdin:
                child.stdin.close()
        self._subscription.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
