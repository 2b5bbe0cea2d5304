"""What is trained on and looked at: photographs of magnetic tiles, by tile and image by image, and rendered parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.methods.sets import RenderedSet, rendered
from pipeline.errors import DataError
from training.masks.coco import read_coco_masks
from training.masks.division import folds
from training.masks.folder import read_mask_folder
from training.masks.grouping import same_parts
from training.masks.sample import MaskedSet
from training.segment_regions import grown

TILES, RANDOM, RENDERED = "tiles", "random", "rendered"
FOLDS, SEED = 5, 7
NEAR_NUMBERS = 200  # the same tile at up to six exposures: names that end in numbers at most so far apart
MARGIN = 0.05  # by which a rendered part's box is widened, as a recipe's blobs are: burrs stick out of it
TILE_SOURCE = "github.com/abin24/Magnetic-tile-defect-datasets"
Spec = Mapping[str, Any]


@dataclass(frozen=True)
class Scale:
    """How large everything is.

    Attributes:
        train, test: rendered parts.
        change: what is merged into every method.
        tiles: only about so many photographs; 0 for all.
        tile_folds: of the photographs.
    """

    train: RenderedSet
    test: RenderedSet
    change: dict[str, Any] = field(default_factory=dict)
    tiles: int = 0
    tile_folds: int = FOLDS


FULL = Scale(
    RenderedSet("segment-train", 1600, 47001, "sparse", 0.6), RenderedSet("segment-test", 800, 47002, "sparse", 0.5)
)
QUICK = Scale(
    RenderedSet("segment-quick", 16, 47003, "sparse", 0.6),
    RenderedSet("segment-quick-test", 8, 47004, "sparse", 0.5),
    {"steps": 6, "images": 2, "augment": {"variants": 1}, "split": {"calibration": 0.3, "validation": 0.3}},
    tiles=60,
    tile_folds=2,
)


@dataclass(frozen=True, slots=True)
class Divided:
    """What is trained on, calibration and validation parts among it, and what is only looked at."""

    train: MaskedSet
    test: MaskedSet


@dataclass(frozen=True, slots=True)
class PartSet:
    """One of the sets.

    Attributes:
        folds: how many a scale has.
        spec: what decides it, for digests.
        divide: reads it, from the photographs' folder or the cache, and takes a fold.
    """

    folds: Callable[[Scale], int]
    spec: Callable[[Scale], Spec]
    divide: Callable[[Scale, Path | None, Path, int], Divided]


def _tile_spec(scale: Scale) -> Spec:
    return {"folds": scale.tile_folds, "seed": SEED, "near": NEAR_NUMBERS, "tiles": scale.tiles}


def _rendered_spec(scale: Scale) -> Spec:
    sets = {name: (one.count, one.seed, one.occlusion, one.defects) for name, one in _rendered_sets(scale).items()}
    return {**sets, "margin": MARGIN}


def _rendered_sets(scale: Scale) -> dict[str, RenderedSet]:
    return {"train": scale.train, "test": scale.test}


def _tiles(scale: Scale, data: Path | None, _: Path, fold: int) -> Divided:
    return _fold(scale, data, fold, by_group=True)


def _random(scale: Scale, data: Path | None, _: Path, fold: int) -> Divided:
    divided = _fold(scale, data, fold, by_group=False)
    # by image in training, too: that is what it is compared with
    return Divided(_ungrouped(divided.train), _ungrouped(divided.test))


def _fold(scale: Scale, data: Path | None, fold: int, *, by_group: bool) -> Divided:
    images = _photographs(data, scale.tiles)
    sides = folds(images, scale.tile_folds, SEED, by_group=by_group)
    others = np.sort(np.concatenate([side for number, side in enumerate(sides) if number != fold]))
    return Divided(images.chosen(others), images.chosen(sides[fold]))


@cache
def _photographs(data: Path | None, count: int) -> MaskedSet:
    """All of them, in groups of one tile; of every kind about its share where only some are wanted."""
    for folder in () if data is None else (data, data / "magnetic_tile"):
        if any(folder.glob("*/*.mask.png")):
            images = read_mask_folder(folder)
            return same_parts(
                images.chosen(range(0, len(images), len(images) // count)) if count else images, apart=NEAR_NUMBERS
            )
    raise DataError(
        "there are no magnetic tiles: the photographs are not in this repository",
        where=f"--data {data}",
        allowed="a folder with blowhole/, break/ …, NAME.mask.png beside NAME.jpg",
        next_command=f"take them from {TILE_SOURCE} (no licence file: look at them for yourself, give nothing on)",
    )


def _ungrouped(images: MaskedSet) -> MaskedSet:
    return MaskedSet([replace(image, group=image.name) for image in images.images], images.where)


def _parts(scale: Scale, _: Path | None, cache_folder: Path, _fold_number: int) -> Divided:
    read = []
    for one in _rendered_sets(scale).values():
        folder = rendered(one, cache_folder)
        images = read_coco_masks(folder / "annotations.json", folder / "images")
        wide = [replace(image, region=grown(image.region, MARGIN)) for image in images.images if image.region]
        read.append(MaskedSet(wide, images.where))
    return Divided(*read)


SETS = {
    TILES: PartSet(lambda scale: scale.tile_folds, _tile_spec, _tiles),
    RANDOM: PartSet(lambda scale: scale.tile_folds, lambda scale: {**_tile_spec(scale), "by": "image"}, _random),
    RENDERED: PartSet(lambda _: 1, _rendered_spec, _parts),
}
