"""Faults that a picture shows: masters that are due or drift, and a lens out of focus. The pictures are sent over HTTP."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.alerts.fault import Fault
from benchmarks.alerts.scene import ARCHIVE, Scene, Stage
from benchmarks.alerts.station import HTTP_CAMERA, Feeder, RunningStation, running_station
from benchmarks.bare import RECIPE
from benchmarks.dots.recipes import frame_with_part, make_recipe
from simulator.render import Occlusion, PartRenderer, frame_seed

Picture = NDArray[np.uint8]
MASTER = "M-OK-01"
MASTERS = f'[masters]\nparts = {{ "{MASTER}" = "OK" }}\n'
MASTER_HZ = 5.0
NOISE_LEVELS = 3.0
PICTURES = 10  # as many as the baseline of a chart: none of them lies outside of its limits
DIMMED = 0.97  # of the light
DRIFT_DIVISOR = 90  # a day becomes 16 minutes, an hour 40 s
PART_HZ = 12.0  # a keypoint counts where it was seen 100 times in an hour
POSES = 24
DRIFT_REST_S = 60.0  # what the hour after it is compared with
SOFT_PX = 5.0  # standard deviation of the blur


@contextmanager
def _pictures(
    folder: Path, recipes: Path, pictures: Sequence[Picture], part_id: str, rate_hz: float
) -> Iterator[tuple[RunningStation, Feeder]]:
    """A daemon that inspects what it is sent, and who sends it these pictures."""
    height, width = pictures[0].shape
    tables = HTTP_CAMERA.format(port="{port}", width=width, height=height)
    with ExitStack() as stack:
        station = stack.enter_context(
            running_station(folder, tables + ARCHIVE.format(folder=folder / "state", quota_gb=1.0), recipes, {})
        )
        feeder = Feeder(station.ports.http, _png(pictures), part_id, rate_hz)
        stack.callback(feeder.close)
        station.wait()
        yield station, feeder


@contextmanager
def _masters(folder: Path) -> Iterator[Stage]:
    make_recipe(folder / "recipes" / "dots", ["top"], rest=MASTERS)
    random = np.random.default_rng(1)
    part = frame_with_part().astype(np.float64)
    good = [_noisy(part, random) for _ in range(PICTURES)]
    dim = [_noisy(part * DIMMED, random) for _ in range(PICTURES)]
    with _pictures(folder, folder / "recipes", good, MASTER, MASTER_HZ) as (station, feeder):

        def start_without_masters() -> None:
            feeder.show([])
            station.kill("supervisor")
            station.start_again()

        faults = [
            Fault(
                "the daemon is started again, and its master is not shown to it",
                ["DatumdMastersDue"],
                start_without_masters,
                lambda: feeder.show(_png(good)),
            ),
            Fault(
                f"the lamp gives {DIMMED:.0%} of its light",
                ["DatumdMasterDrift"],
                lambda: feeder.show(_png(dim)),
                lambda: feeder.show(_png(good)),
            ),
        ]
        yield Stage(station, faults)


@contextmanager
def _drift(folder: Path) -> Iterator[Stage]:
    renderer = PartRenderer(RECIPE.name)
    sharp = [renderer.render(frame_seed(0, pose), occlusion=Occlusion.NONE).image for pose in range(POSES)]
    soft = [cv2.GaussianBlur(picture, (0, 0), SOFT_PX).astype(np.uint8) for picture in sharp]
    (folder / "recipes").mkdir()
    (folder / "recipes" / RECIPE.name).symlink_to(RECIPE)
    with _pictures(folder, folder / "recipes", sharp, "", PART_HZ) as (station, feeder):
        fault = Fault(
            f"the lens is out of focus: a blur of {SOFT_PX:g} px",
            ["DatumdVisibilityDrifts"],
            lambda: feeder.show(_png(soft)),
            lambda: feeder.show(_png(sharp)),
        )
        yield Stage(station, [fault])


def _png(pictures: Sequence[Picture]) -> list[bytes]:
    return [cv2.imencode(".png", picture)[1].tobytes() for picture in pictures]


def _noisy(picture: NDArray[np.float64], random: np.random.Generator) -> Picture:
    noisy: Picture = np.clip(picture + random.normal(0.0, NOISE_LEVELS, picture.shape), 0, 255).astype(np.uint8)
    return noisy


MASTERS_SCENE = Scene("masters", ("DatumdMastersDue", "DatumdMasterDrift"), _masters)
DRIFT_SCENE = Scene(
    "drift", ("DatumdVisibilityDrifts",), _drift, DRIFT_DIVISOR, DRIFT_REST_S, by_load=("DatumdLatency",)
)
