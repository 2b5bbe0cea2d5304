"""A whole daemon that inspects the example's brackets on a simulated line, for as long as a benchmark listens."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.bare import POOL, RECIPE
from pipeline.client import Message, Subscription
from pipeline.recipe import load_recipe
from simulator.child import DaemonProcess, LineProcess
from simulator.demo import GENICAM, RECIPES, STATION
from simulator.line_log import LineLog
from simulator.producer import cti_path

RESULTS, METRICS = "127.0.0.1:5599", "127.0.0.1:9599"
SILENCE_S = 5.0


def listen_to_brackets(
    line_options: Sequence[str], take: Callable[[Message], bool], *, deadline_ms: float = 2000
) -> LineLog:
    """Run a line and a daemon, and give `take` each message until it returns False. Returns the line's log.

    Raises:
        RuntimeError: nothing was heard for 5 s; with the daemon's own words.
    """
    with tempfile.TemporaryDirectory(prefix="datumd-bench-") as name, Subscription(f"tcp://{RESULTS}") as subscription:
        folder = Path(name)
        line = LineProcess(folder, [*line_options, "--pool", str(POOL)])
        try:
            daemon = DaemonProcess(_station(folder, deadline_ms), line.environment)
            try:
                daemon.wait_until_ready(subscription)
                line.go()
                is_wanted = True
                while is_wanted:
                    message = subscription.receive(SILENCE_S)
                    if message is None:
                        raise RuntimeError(f"nothing heard for {SILENCE_S:g} s:\n{daemon.words()}")
                    is_wanted = take(message)
            finally:
                daemon.close()
            return line.log()
        finally:
            line.close()


def _station(folder: Path, deadline_ms: float) -> Path:
    path = folder / "station.toml"
    path.write_text(
        STATION.format(
            station=f"bench-{os.getpid()}",
            recipes=RECIPES,
            recipe=load_recipe(RECIPE).number,
            deadline_ms=deadline_ms,
            results=RESULTS,
            metrics=METRICS,
            camera=GENICAM.format(producer=cti_path()),
        ),
        encoding="utf-8",
    )
    return path
