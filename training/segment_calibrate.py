"""What counts as a defect: limits from parts that the networks were not trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from calibration.proportion import clopper_pearson
from pipeline.errors import DataError
from pipeline.segment_thresholds import SegmentThresholds
from training.masks.sample import MaskedSet
from training.segment_compare import ScoredPart
from training.segment_counts import PixelCounts
from training.segment_evaluate import scored
from training.segment_maps import Predict, on_sensor, window
from training.segment_regions import Where, labelled
from training.segment_score import detection_score

_MASK_ABOVE = (0.02, 0.98)  # beyond, a network that was trained with cross-entropy is not to be believed
_FEW = 60  # examples: with fewer, none missed leaves more than 5% open
_LOWEST = 1e-6  # score_above where not even so many defects can be found: whatever was found counts


@dataclass(frozen=True, slots=True)
class SegmentCalibrated:
    """The limits, and for the reader what they rest on.

    Attributes:
        iou: of the pixels at ``mask_above``, on the parts that it was chosen by.
        defects: how many had to be found.
    """

    limits: SegmentThresholds
    iou: float
    defects: int

    def lines(self) -> list[str]:
        """For a person."""
        bad, good = self.limits.examples or (0, 0)
        missed, alarms = (_percent(share) for share in (self.limits.missed, self.limits.false_alarms))
        return [
            f"defects: mask_above {self.limits.mask_above:.4f} (IoU {self.iou:.4f}), score_above {self.limits.score_above:.4g}, "
            f"from {bad} parts with {self.defects} defects and {good} good ones",
            f"parts with a defect in which none is found: {missed}; good parts with an alarm: {alarms} (intervals of 95%)",
            *(f"warning: {concern}" for concern in self.warnings()),
        ]

    def warnings(self) -> list[str]:
        """What a person should know before using it, a sentence each."""
        found = []
        bad, good = self.limits.examples or (0, 0)
        if bad < _FEW:
            found.append(f"{bad} parts with a defect say little of how many are missed; {_FEW} or more would")
        if good < _FEW:
            found.append(f"{good} good parts say little of false alarms; {_FEW} or more would")
        if self.limits.score_above <= _LOWEST and self.limits.detection is not None:
            found.append(f"fewer than {self.limits.detection:.0%} of the defects are found at any score")
        return found


def calibrate_segment(
    predict: Predict,
    images: MaskedSet,
    *,
    detection: float = 0.99,
    min_area_px: float = 0.0,
    where: Where | None = None,
) -> SegmentCalibrated:
    """Limits for one view's networks.

    ``mask_above`` is the probability at which the pixels of all parts together have the highest intersection over union;
    ``score_above`` the highest score at which the wanted share of the defects is found.

    Args:
        predict: the networks.
        images: parts that are new to them, some with a defect of more than 30 sensor px².
        detection: share of these defects that is to be found.
        min_area_px: taken over as it is, sensor px².
        where: the place of a part; by default that of its labels.

    Raises:
        DataError: none of the parts has such a defect, or an image or a mask cannot be read.
    """
    place_of = where or labelled(images)
    counts, kept = PixelCounts(), []
    for index in range(len(images)):
        sample = images.load(index)
        place = place_of(index, sample)
        if place is None:
            continue
        maps = predict(sample, place.region)
        wh = sample.image.shape[1], sample.image.shape[0]
        seen = window(place.region, wh)
        counts.add(on_sensor(maps, place.own(maps, wh), seen), sample.mask[seen.rows, seen.columns])
        kept.append((index, place, maps))
    if not counts.defects:
        raise DataError("no part has a defect", where=images.where, allowed="some with a mask that is not empty")
    level, iou = counts.best_threshold()
    mask_above = min(max(1.0 / (1.0 + math.exp(-level)), _MASK_ABOVE[0]), _MASK_ABOVE[1])
    limits = SegmentThresholds(
        mask_above=round(mask_above, 6), score_above=0.0, min_area_px=min_area_px, detection=detection
    )
    parts = [scored(maps, place, limits, images.load(index), None) for index, place, maps in kept]
    if not any(part.counted for part in parts):
        raise DataError("no part has a defect of more than 30 px²", where=images.where, allowed="larger ones, too")
    above = detection_score(parts, detection) or _LOWEST
    limits = msgspec.structs.replace(limits, score_above=above)
    parts = [scored(maps, place, limits, images.load(index), None) for index, place, maps in kept]
    return SegmentCalibrated(_counted(limits, parts), iou, sum(len(part.counted) for part in parts))


def _counted(limits: SegmentThresholds, parts: Sequence[ScoredPart]) -> SegmentThresholds:
    """The limits with how often they were right on ``parts``, for the reader."""
    bad, good = [part for part in parts if part.counted], [part for part in parts if part.is_good]
    return msgspec.structs.replace(
        limits,
        examples=(len(bad), len(good)),
        missed=_rounded(clopper_pearson(sum(part.is_missed for part in bad), len(bad))),
        false_alarms=_rounded(clopper_pearson(sum(part.is_flagged for part in good), len(good))),
    )


def _rounded(interval: tuple[float, float]) -> tuple[float, float]:
    return round(interval[0], 5), round(interval[1], 5)


def _percent(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{100 * interval[0]:.2f} to {100 * interval[1]:.2f}%"
