"""Rendered parts through the whole daemon: how near to the true mm, how well repeated, and what is said of that."""

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.metrology.disc_part import MM_PER_PX, PAIRS, DiscParts, distance_mm, write_recipe
from pipeline.client import Subscription
from pipeline.errors import DatumdError
from pipeline.result import Result
from simulator.child import DaemonProcess

RESULTS, METRICS = "127.0.0.1:5597", "127.0.0.1:9597"
LIMIT_S = 900.0
STATION = """
format = 1
station = "metrology"
recipes = "recipes"
[camera.top]
type = "folder"
path = "frames"
[part]
deadline_ms = 60000.0
[ring]
policy = "wait"
[archive]
folder = "state"
[results]
bind = "tcp://{results}"
[metrics]
bind = "{metrics}"
"""


@dataclass(frozen=True, slots=True)
class Repeats:
    """One distance on all parts, in px: its mean error, its scatter, and the root mean square of the sigmas stated."""

    name: str
    error_px: float
    scatter_px: float
    stated_px: float


def measure_through_daemon(count: int) -> list[Repeats]:
    """Inspect so many parts with `datumd run`, and compare what it published with what was drawn."""
    with tempfile.TemporaryDirectory(prefix="datumd-bench-") as made:
        folder = Path(made)
        parts = DiscParts()
        write_recipe(folder, parts)
        (folder / "frames").mkdir()
        for index in range(count):
            cv2.imwrite(str(folder / "frames" / f"{index:05d}.png"), parts.frame(index + 1))
        station = folder / "station.toml"
        station.write_text(STATION.format(results=RESULTS, metrics=METRICS))
        results = listen(station, count)
    return [compared(pair, results, MM_PER_PX) for pair in PAIRS]


def listen(station: Path, count: int) -> list[Result]:
    """What the daemon answers to so many parts. Raises DatumdError with its own words where it does not."""
    results: list[Result] = []
    with Subscription(f"tcp://{RESULTS}") as subscription:
        daemon = DaemonProcess(station, {})
        try:
            until = time.monotonic() + LIMIT_S
            while len(results) < count:
                message = subscription.receive(0.2)
                if isinstance(message, Result):
                    results.append(message)
                elif not daemon.is_running or time.monotonic() > until:
                    raise DatumdError(f"{len(results)} of {count} parts were answered:\n{daemon.words()}")
        finally:
            daemon.close()
    return results


def compared(pair: tuple[str, str], results: Sequence[Result], mm_per_px: float) -> Repeats:
    """One distance of all parts against what was drawn."""
    name = "".join(pair)
    found = [one for result in results for one in result.measurements if one.name == name]
    values = np.array([math.nan if one.value is None else one.value for one in found]) / mm_per_px
    sigmas = np.array([math.nan if one.sigma is None else one.sigma for one in found]) / mm_per_px
    error = float(values.mean()) - distance_mm(pair) / mm_per_px
    return Repeats(name, error, float(values.std(ddof=1)), math.sqrt(float(np.mean(sigmas**2))))
