"""The figures of the table that a bar is set for, over the folds that both sides of a comparison have."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

from benchmarks.segment.part_sets import RANDOM, RENDERED, TILES, Scale
from benchmarks.segment.results import WHOLE, ZEROED, Record, Records, valid
from benchmarks.segment.variants import Variant, trainings
from training.segment_score import SegmentReport


def bars(variants: Sequence[Variant], scale: Scale, records: Records) -> dict[str, float]:
    """Those that were measured."""
    by_name = {variant.name: variant for variant in variants}

    def of(name: str, set_name: str) -> dict[int, Record]:
        own = trainings([by_name[name]], scale, sets=[set_name]) if name in by_name else []
        return {one.fold: record for one in own if (record := valid(one, records)) is not None}

    s4, unet, box = (of(name, TILES) for name in ("s4", "unet", "box"))
    found: dict[str, float] = {}
    if both := _iou_of(s4, unet):
        found["s4_over_unet_iou"] = both[0] / both[1]
    if both := _iou_of(s4, box):
        found["s4_over_box_ceiling_iou"] = both[0] / both[1]
    if both := _iou_of(s4, {fold: record for fold, record in s4.items() if ZEROED in record.found}, ZEROED):
        found["s4_over_zeroed_iou_by"] = both[0] - both[1]
    for name, set_name in (("tiles_mean_iou_by_group", TILES), ("tiles_mean_iou_random", RANDOM)):
        _put(found, name, of("s4", set_name).values(), lambda one: one.mean_iou)
    rendered = of("s4-tiles", RENDERED).values()  # the method for defects as small as theirs
    _put(found, "rendered_image_auroc", rendered, lambda one: one.image_auroc)
    _put(found, "rendered_good_with_alarm_at_99", rendered, lambda one: one.at_detection[1].good_with_alarm)
    return found


def _iou_of(one: dict[int, Record], other: dict[int, Record], how: str = WHOLE) -> tuple[float, float] | None:
    """Mean IoU of two rows over the folds of both."""
    folds = sorted(one.keys() & other.keys())
    ious = [
        [record.found[way].figures.iou for record in (side[fold] for fold in folds)]
        for side, way in ((one, WHOLE), (other, how))
    ]
    first, second = ([iou for iou in side if iou is not None] for side in ious)
    return (statistics.mean(first), statistics.mean(second)) if first and second else None


def _put(
    found: dict[str, float], name: str, records: Iterable[Record], value: Callable[[SegmentReport], float | None]
) -> None:
    values = [value(record.found[WHOLE].figures) for record in records]
    there = [one for one in values if one is not None]
    if there:
        found[name] = statistics.mean(there)
