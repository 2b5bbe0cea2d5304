"""The networks of S4 on a set of masks: what they find, through the daemon's own function, against the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from pipeline.geometry import Region
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.stages.defects import find_defects
from training.masks.sample import MaskedSample, MaskedSet
from training.segment_compare import ScoredPart, compare, lost_part
from training.segment_counts import PixelCounts
from training.segment_maps import Maps, Predict, on_sensor, window

Where = Callable[[int, MaskedSample], Region | None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What came out: the parts in the order of the set, their pixels together, and how many were not located."""

    parts: tuple[ScoredPart, ...]
    counts: PixelCounts
    lost: int


def labelled(images: MaskedSet) -> Where:
    """Takes the region of each part from its labels, the whole image where there are none."""

    def where(index: int, sample: MaskedSample) -> Region:
        height, width = sample.image.shape
        return images.images[index].region or Region(0.0, 0.0, float(width), float(height))

    return where


def evaluate(
    predict: Predict,
    limits: SegmentThresholds,
    images: MaskedSet,
    *,
    where: Where | None = None,
    progress: Progress | None = None,
) -> Evaluated:
    """Run networks over every part of a set.

    Args:
        predict: the networks.
        limits: what counts as found.
        images: the set.
        where: the region of a part; by default that of its labels. None for one that is not found.
        progress: called with parts done and their count.

    Raises:
        DataError: an image or a mask cannot be read.
    """
    region_of = where or labelled(images)
    parts, counts, lost = [], PixelCounts(), 0
    for index in range(len(images)):
        sample = images.load(index)
        region = region_of(index, sample)
        if region is None:
            lost += 1
            parts.append(lost_part(sample.mask, name=sample.name, kind=sample.kind))
        else:
            parts.append(scored(predict(sample.image, region), limits, sample, counts))
        if progress:
            progress(index + 1, len(images))
    return Evaluated(tuple(parts), counts, lost)


def scored(maps: Maps, limits: SegmentThresholds, sample: MaskedSample, counts: PixelCounts | None) -> ScoredPart:
    """One part from its maps; its pixels are added to ``counts``."""
    height, width = sample.mask.shape
    seen = window(maps.area, (width, height))
    if counts is not None:
        counts.add(on_sensor(maps, seen), sample.mask[seen.rows, seen.columns])
    every = msgspec.structs.replace(limits, score_above=0.0, min_area_px=0.0)
    found = find_defects(maps.mask_logits, maps.heatmap, maps.sensor_from_mask(), every, view="", mm_per_px=None)
    return compare(sample.mask, found, limits, seen, name=sample.name, kind=sample.kind)
