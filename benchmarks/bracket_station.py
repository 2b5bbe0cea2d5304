"""A whole daemon that inspects the example's brackets on a simulated line, for as long as a benchmark listens."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bare import POOL, RECIPE, VIEW
from pipeline.client import Message, Subscription
from pipeline.recipe import load_recipe
from simulator.child import DaemonProcess, LineProcess
from simulator.demo import STATION
from simulator.line_log import LineLog
from simulator.producer import cti_path

RESULTS, METRICS = "127.0.0.1:5599", "127.0.0.1:9599"
SILENCE_S = 5.0
EXPOSURE_MS = 1.0
CAMERA = """
[camera.{view}]
producer = "{producer}"
serial = "SIM-{number}"
trigger_number = "ChunkCounterValue"
trigger_counter = "CounterValue"
features = {{ PixelFormat = "Mono8", TriggerSelector = "FrameStart", TriggerMode = "On", TriggerSource = "Line1" }}
shots = [{{ name = "{view}", ExposureTime = {exposure_us} }}]
"""


@dataclass(frozen=True, slots=True)
class BracketStation:
    """A station before it is started: a camera for each view of a recipe, the only one that its folder is searched for.

    Attributes:
        line_options: as `python -m simulator.line --help` tells.
        recipe: folder of the recipe; all that lie beside it are loaded as well.
        views: its views; SIM-0 shows the first.
        deadline_ms: of a part.
        environment: of the daemon, beside this process's own.
        tables: further tables of the station file.
    """

    line_options: Sequence[str]
    recipe: Path = RECIPE
    views: Sequence[str] = (VIEW,)
    deadline_ms: float = 2000.0
    environment: Mapping[str, str] = field(default_factory=dict)
    tables: str = ""

    @contextmanager
    def line(self, folder: Path) -> Iterator[LineProcess]:
        """The line and its cameras; it stands still."""
        options = [*self.line_options, "--pool", str(POOL), "--devices", str(len(self.views))]
        line = LineProcess(folder, options)
        try:
            yield line
        finally:
            line.close()

    @contextmanager
    def daemon(self, folder: Path, line: LineProcess) -> Iterator[DaemonProcess]:
        """The daemon, as it starts."""
        daemon = DaemonProcess(self._write(folder), {**line.environment, **self.environment})
        try:
            yield daemon
        finally:
            daemon.close()

    def _write(self, folder: Path) -> Path:
        path = folder / "station.toml"
        cameras = [
            CAMERA.format(view=view, number=number, producer=cti_path(), exposure_us=EXPOSURE_MS * 1000.0)
            for number, view in enumerate(self.views)
        ]
        path.write_text(
            STATION.format(
                station=f"bench-{os.getpid()}",
                recipes=self.recipe.parent,
                recipe=load_recipe(self.recipe).number,
                deadline_ms=self.deadline_ms,
                results=RESULTS,
                metrics=METRICS,
                camera=self.tables + "".join(cameras),
            ),
            encoding="utf-8",
        )
        return path

    def listen(self, take: Callable[[Message, LineProcess], bool]) -> LineLog:
        """Run line and daemon, and give `take` each message until it returns False. Returns the line's log.

        Raises:
            RuntimeError: nothing was heard for 5 s; with the daemon's own words.
        """
        with (
            tempfile.TemporaryDirectory(prefix="datumd-bench-") as name,
            Subscription(f"tcp://{RESULTS}") as subscription,
            self.line(Path(name)) as line,
        ):
            with self.daemon(Path(name), line) as daemon:
                daemon.wait_until_ready(subscription)
                line.go()
                is_wanted = True
                while is_wanted:
                    message = subscription.receive(SILENCE_S)
                    if message is None:
                        raise RuntimeError(f"nothing heard for {SILENCE_S:g} s:\n{daemon.words()}")
                    is_wanted = take(message, line)
            return line.log()


def listen_to_brackets(line_options: Sequence[str], take: Callable[[Message], bool]) -> LineLog:
    """The example's one camera, as `BracketStation.listen`."""
    return BracketStation(line_options).listen(lambda message, _line: take(message))
