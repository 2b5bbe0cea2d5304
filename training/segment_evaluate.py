"""The networks of S4 on a set of masks: what they find, through the daemon's own function, against the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from pipeline.result import Defect
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.stages.defects import find_defects
from training.masks.sample import Mask, MaskedSample, MaskedSet
from training.segment_compare import ScoredPart, compare, lost_part
from training.segment_counts import PixelCounts
from training.segment_maps import Maps, Place, Predict, on_sensor, window
from training.segment_regions import Where, labelled

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What came out: the parts in the order of the set, their pixels together, and how many were not located."""

    parts: tuple[ScoredPart, ...]
    counts: PixelCounts
    lost: int


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
        where: the place of a part; by default that of its labels. None for one that is not located.
        progress: called with parts done and their count.

    Raises:
        DataError: an image or a mask cannot be read.
    """
    place_of = where or labelled(images)
    parts, counts, lost = [], PixelCounts(), 0
    for index in range(len(images)):
        sample = images.load(index)
        place = place_of(index, sample)
        if place is None:
            lost += 1
            seen = window(images.regions(index), (sample.mask.shape[1], sample.mask.shape[0]))
            parts.append(lost_part(sample.mask[seen.rows, seen.columns], name=sample.name, kind=sample.kind))
        else:
            parts.append(scored(predict(sample, place.region), place, limits, sample, counts))
        if progress:
            progress(index + 1, len(images))
    return Evaluated(tuple(parts), counts, lost)


def scored(
    maps: Maps, place: Place, limits: SegmentThresholds, sample: MaskedSample, counts: PixelCounts | None
) -> ScoredPart:
    """One part from its maps; its pixels are added to ``counts``."""
    height, width = sample.mask.shape
    own, seen = place.own(maps, (width, height)), window(place.region, (width, height))
    if counts is not None:
        counts.add(on_sensor(maps, own, seen), sample.mask[seen.rows, seen.columns])
    found = every_defect(maps, own, limits)
    return compare(sample.mask, found, limits, seen, name=sample.name, kind=sample.kind)


def every_defect(maps: Maps, own: Mask, limits: SegmentThresholds) -> tuple[Defect, ...]:
    """What is found at the limits' ``mask_above`` with any score and area."""
    every = msgspec.structs.replace(limits, score_above=0.0, min_area_px=0.0)
    return find_defects(
        maps.mask_logits, maps.heatmap, maps.sensor_from_mask, every, view="", mm_per_px=None, counted=own
    )
