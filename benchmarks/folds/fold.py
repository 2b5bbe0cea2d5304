"""One fold: trained on the others, judged on its own parts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.folds.fold_results import FoldRecord, FoundFold, FoundPart
from benchmarks.folds.photo_set import ANNOTATED, PhotoSet
from benchmarks.methods.trained import trained
from engines.devices.cpu import CpuDevice
from pipeline.geometry import Region
from pipeline.pixels import mono8_frame
from pipeline.sigma import FILE_NAME as SIGMA_FILE
from pipeline.sigma import read_sigma
from pipeline.stages.locate import make_locate
from pipeline.thresholds import FILE_NAME, read_thresholds
from training.canvas import region_of
from training.data import VISIBLE, Dataset, Part
from training.evaluate import Case, Locate, evaluate
from training.method import Method, load_method
from training.near_duplicates import groups
from training.score import Scored, report
from training.shipped import ShippedView
from training.splits import Splits, folds, split
from training.worst_cases import contact_sheet

VERSION = 1  # of what a figure means: raised when training or evaluation changes so much that old folds mean nothing
SEED = 5  # of the division into folds
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """A set divided, and what is trained on it.

    Attributes:
        plain: the method as its file gives it.
        alike: group of near-duplicates of each image; they are never on both sides.
        shares: the parts of each fold.
    """

    photos: PhotoSet
    dataset: Dataset
    method: Method
    plain: dict[str, Any]
    alike: NDArray[np.int64]
    shares: tuple[NDArray[np.int64], ...]
    init: Path | None

    def key(self, number: int) -> str:
        """Of a fold in the results."""
        return f"{self.photos.name}/{number}"

    def digest(self, number: int) -> str:
        """Of all that decides a fold's result."""
        labels = [(part.image.name, part.annotation, part.xy_sensor_px.tolist()) for part in self.dataset.parts]
        shares = [share.tolist() for share in self.shares]
        init = self.init.name if self.init else ""
        text = msgspec.json.encode((VERSION, number, self.plain, init, labels, shares), order="deterministic")
        return hashlib.sha256(text).hexdigest()[:16]


def plan(photos: PhotoSet, data: Path, method: Path, count: int, init: Path | None) -> Plan:
    """Read a set and divide it into ``count`` folds.

    Raises:
        DatumdError: the set or the method cannot be used.
    """
    dataset = photos.read(data)
    alike = groups(dataset)
    shares = tuple(folds(dataset, count=count, seed=SEED, groups=alike))
    plain: dict[str, Any] = msgspec.toml.decode(method.read_bytes()) if method.is_file() else {}
    return Plan(photos, dataset, load_method(method), plain, alike, shares, init)


def run_fold(chosen: Plan, number: int, cache: Path, say: Say) -> FoldRecord:
    """Train without fold ``number``, then judge on it. A killed run goes on.

    Raises:
        DatumdError: the training failed.
    """
    dataset, method = chosen.dataset, chosen.method
    folder = cache / f"{chosen.photos.name}-{number}-{chosen.digest(number)}"
    parts = without(dataset, chosen.shares[number], chosen.alike, method)
    # the cut images are those of the whole set, so that the folds share them; what is left out is in no split
    canvas = cache / f"canvas-{chosen.photos.name}-{len(dataset.parts)}-{method.view.large_wh[0]}"
    minutes = trained(method, dataset, parts, folder, canvas, say, chosen.init)
    own = _subset(dataset, chosen.shares[number])
    view = folder / "recipe"
    found = {}
    for regions in chosen.photos.regions:
        scored, cases = evaluate(
            ShippedView(view),
            read_thresholds(view / FILE_NAME, dataset.keypoints),
            _locate(regions, method),
            own,
            sigma=read_sigma(view / SIGMA_FILE, dataset.keypoints),
        )
        contact_sheet(cases, dataset.keypoints, folder / f"worst-{regions}.png")
        found[regions] = _found(scored, cases, dataset.keypoints)
    images = len({dataset.parts[index].image for side in (parts.train, parts.calibration) for index in side})
    init = chosen.init.name if chosen.init else ""
    return FoldRecord(chosen.digest(number), chosen.plain, init, images, round(minutes, 2), found)


def without(dataset: Dataset, share: NDArray[np.int64], alike: NDArray[np.int64], method: Method) -> Splits:
    """What the parts outside of a fold are for; those of the fold are on no side."""
    rest = np.setdiff1d(np.arange(len(dataset.parts)), share)
    others = _subset(dataset, rest)
    kept = set(others.images)
    own = np.array([group for image, group in zip(dataset.images, alike, strict=True) if image in kept])
    shares = method.split
    sides = split(others, calibration=shares.calibration, validation=shares.validation, seed=method.seed, groups=own)
    return Splits(rest[sides.train], rest[sides.calibration], rest[sides.validation])


def _subset(dataset: Dataset, parts: NDArray[np.int64]) -> Dataset:
    return Dataset(dataset.keypoints, tuple(dataset.parts[index] for index in parts), dataset.name)


def _locate(regions: str, method: Method) -> Locate:
    if regions == ANNOTATED:
        return lambda _, parts: [Region(*region_of(part, method.view)) for part in parts]
    find = make_locate(method.view.locate, "top", CpuDevice())

    def located(image: NDArray[np.uint8], _: Sequence[Part]) -> list[Region]:
        return find(mono8_frame(image))[0]

    return located


def _found(scored: Scored, cases: Sequence[Case], keypoints: Sequence[str]) -> FoundFold:
    sigma = report(scored, keypoints, recipe="", view="").sigma
    parts = [
        FoundPart(
            case.part.image.name,
            _visible(first, case.part),
            _visible(refined, case.part),
            round(float(np.hypot(*(case.part.xy_sensor_px[-1] - case.part.xy_sensor_px[0]))), 2),
            is_swapped(case.part.xy_sensor_px, case.refined_sensor_px),
        )
        for case, first, refined in zip(cases, scored.coarse_px, scored.refined_px, strict=True)
    ]
    if sigma is None:
        return FoundFold(parts, scored.lost)
    return FoundFold(parts, scored.lost, round(sigma.within_1_sigma, 4), round(sigma.within_2_sigma, 4))


def is_swapped(true_px: NDArray[np.float64], found_px: NDArray[np.float64]) -> bool:
    """Whether of two keypoints (2, 2) each was found nearer to where the other is; never of more keypoints."""
    if len(true_px) != 2:
        return False
    own = np.hypot(*(found_px - true_px).T)
    other = np.hypot(*(found_px - true_px[::-1]).T)
    return bool((other < own).all())


def _visible(px: NDArray[np.float64], part: Part) -> list[float | None]:
    return [round(float(one), 3) if state == VISIBLE else None for one, state in zip(px, part.state, strict=True)]
