"""Where the parts of a set of masks are looked for: as the labels say, or as a recipe locates them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.geometry import Region
from pipeline.part_pose import LEAST_KEYPOINTS
from pipeline.recipe_file import LocateSettings
from pipeline.stages.tiles import tiles_of
from training.canvas import overlap
from training.evaluate import matched
from training.masks.sample import GOOD, Image, MaskedSample, MaskedSet
from training.segment_maps import Place, seen_keypoints, window
from training.segment_method import SegmentMethod
from training.shipped import ShippedView

Where = Callable[[int, MaskedSample], Place | None]
Locate = Callable[[Image], Sequence[Region]]


def labelled(images: MaskedSet) -> Where:
    """Takes the region of each part from its labels, the whole image where there are none."""
    regions, number = _of_files(images)

    def where(index: int, sample: MaskedSample) -> Place:
        height, width = sample.image.shape
        given = regions[images.images[index].file]
        return Place(given, number[index]) if given else Place([Region(0.0, 0.0, float(width), float(height))])

    return where


def located(images: MaskedSet, locate: Locate) -> Where:
    """Looks for the parts as a recipe does; each labelled part is the found one that overlaps it most, no two the same.

    An image without labelled parts shows one part: the largest that is found.
    """
    regions, number = _of_files(images)

    def where(index: int, sample: MaskedSample) -> Place | None:
        found = list(locate(sample.image))
        labels = regions[images.images[index].file]
        own = matched(labels, found)[number[index]] if labels else _largest(found)
        return None if own is None else Place(found, own)

    return where


def as_trained(images: MaskedSet, locate: LocateSettings) -> MaskedSet:
    """The set with regions that stand for a recipe's ``locate`` in training, as `training.canvas.region_of` has them.

    A fixed region or nest is what it is. Where parts are found as blobs, the labelled region (the whole image where there is
    none) is widened by the blob's margin.
    """
    if locate.blob is None:
        nests = [Region(*nest) for nest in ([locate.fixed] if locate.fixed is not None else locate.nests or [])]
        placed = [replace(one, region=_nest(nests, one.region)) for one in images.images]
    else:
        margin = locate.blob.margin
        placed = [
            one if one.region is None else replace(one, region=grown(one.region, margin)) for one in images.images
        ]
    return MaskedSet(placed, images.where)


def with_names(images: MaskedSet, names: Collection[str]) -> MaskedSet:
    """The set with only the keypoints of these names."""
    return MaskedSet(
        [
            replace(one, keypoints={name: place for name, place in one.keypoints.items() if name in names})
            for one in images.images
        ],
        images.where,
    )


def with_keypoints(
    images: MaskedSet, view: ShippedView, where: Where, progress: Callable[[int, int], None] = lambda _, __: None
) -> MaskedSet:
    """The set with the keypoints that a view's networks find on parts that have too few labelled; on what is not located none.

    Raises:
        DataError: an image or a mask cannot be read.
    """
    found = list(images.images)
    few = [index for index, one in enumerate(found) if len(one.keypoints) < LEAST_KEYPOINTS]
    for done, index in enumerate(few, start=1):
        sample = images.load(index)
        place = where(index, sample)
        keypoints = {} if place is None else seen_keypoints(view, sample.image, place.region)
        found[index] = replace(found[index], keypoints=keypoints)
        progress(done, len(few))
    return MaskedSet(found, images.where)


def in_tiles(images: MaskedSet, image_wh: tuple[int, int], method: SegmentMethod) -> MaskedSet:
    """What is learnt from: the tiles in which a defect of the part lies, and of the others ``good_tiles`` times as many.

    These are drawn at random, two at least.

    Raises:
        DataError: an image or a mask cannot be read.
    """
    if method.tiles == (1, 1):
        return images
    bad, good = [], []
    for index, one in enumerate(images.images):
        mask = images.load(index).mask
        height, width = mask.shape
        part = images.regions(index)
        own = window(part, (width, height))
        for (column, row), area in tiles_of(part, image_wh, method.tiles).items():
            seen = window(area, (width, height))
            tile = replace(one, name=f"{one.name}@{column},{row}", region=area, part=part)
            rows, columns = (_both(*pair) for pair in ((seen.rows, own.rows), (seen.columns, own.columns)))
            if mask[rows, columns].any():
                bad.append(tile)
            else:
                good.append(replace(tile, kind=GOOD))
    wanted = np.random.default_rng(method.seed).permutation(len(good))[: max(2, round(method.good_tiles * len(bad)))]
    return MaskedSet([*bad, *(good[index] for index in sorted(wanted.tolist()))], images.where)


def grown(region: Region, margin: float) -> Region:
    """Wider on every side by a share of its longer side."""
    x, y, w, h = region
    by = margin * max(w, h)
    return Region(x - by, y - by, w + 2 * by, h + 2 * by)


def _of_files(images: MaskedSet) -> tuple[dict[Path, list[Region]], list[int]]:
    """The labelled regions of each file, and for every image of the set which of them is its own."""
    regions: dict[Path, list[Region]] = {}
    number = []
    for image in images.images:
        others = regions.setdefault(image.file, [])
        number.append(len(others))
        if image.region is not None:
            others.append(image.region)
    return regions, number


def _both(one: slice, other: slice) -> slice:
    return slice(max(one.start, other.start), min(one.stop, other.stop))


def _nest(nests: Sequence[Region], part: Region | None) -> Region:
    return nests[0] if part is None else max(nests, key=lambda nest: overlap(part, nest))


def _largest(regions: Sequence[Region]) -> int | None:
    return max(range(len(regions)), key=lambda index: regions[index].w * regions[index].h, default=None)
