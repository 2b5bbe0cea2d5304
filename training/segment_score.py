"""How good a recipe finds defects: one report over many parts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from calibration.proportion import clopper_pearson
from training.masks.sample import GOOD
from training.segment_compare import ScoredPart
from training.segment_counts import PixelCounts

DETECTIONS = (0.95, 0.99)
Interval = tuple[float, float]


class AtDetection(msgspec.Struct, frozen=True):
    """At the score from which on a wanted share of the defects is found.

    Attributes:
        detection: the share.
        score_above: that score; None where so many cannot be found at any: then the rates are None, too.
        alarms_per_good_part: how often something was found on a good part, on average.
        good_with_alarm: share of the good parts on which anything was found.
        interval: of that share on new parts, at 95% (exact, Clopper-Pearson).
    """

    detection: float
    score_above: float | None
    alarms_per_good_part: float | None = None
    good_with_alarm: float | None = None
    interval: Interval | None = None


class AtLimits(msgspec.Struct, frozen=True):
    """At the limits that ship; shares with their intervals on new parts, at 95%. None where there is nothing to count.

    Attributes:
        found: share of the defects.
        good_with_alarm: share of the good parts on which something was found.
    """

    found: float | None
    found_interval: Interval | None
    good_with_alarm: float | None
    good_interval: Interval | None


class SegmentReport(msgspec.Struct, frozen=True):
    """Figures of one view on one set. Those that nothing is there for are None.

    Attributes:
        weights: which segment-anything model the networks have inside.
        parts, good: how many, and how many of them without a defect.
        lost: parts that were not located; none of their defects is found.
        defects: connected ones of more than 30 sensor px², which detection counts.
        iou, f1, precision, recall: of pixels, over all parts together, at the limits that ship.
        pixel_ap: average precision of pixels.
        aupro: area under the per-region overlap up to 30% false positives.
        image_auroc: of the parts' scores, those with a defect against those without.
        boundary_px: mean over the parts where a defect was found, see `ScoredPart`.
        kinds: IoU of the parts of each kind; what is found on good parts is in none of them.
        mean_iou: its mean over the kinds. The networks do not tell kinds apart.
    """

    recipe: str
    view: str
    weights: str
    parts: int
    good: int
    lost: int
    defects: int
    iou: float | None
    f1: float | None
    precision: float | None
    recall: float | None
    pixel_ap: float | None
    aupro: float | None
    image_auroc: float | None
    at_limits: AtLimits
    at_detection: list[AtDetection]
    boundary_px: float | None
    kinds: dict[str, float]
    mean_iou: float | None


def report(
    parts: Sequence[ScoredPart], counts: PixelCounts, *, lost: int, recipe: str, view: str, weights: str
) -> SegmentReport:
    """The figures of ``parts``, whose pixels are in ``counts``; ``lost`` of them were not located."""
    both, found, true = (
        sum(getattr(part, name) for part in parts) for name in ("intersection_px", "found_px", "true_px")
    )
    kinds = class_iou(parts)
    bounds = [part.boundary_px for part in parts if part.boundary_px is not None]
    good = [part for part in parts if part.is_good]
    return SegmentReport(
        recipe=recipe,
        view=view,
        weights=weights,
        parts=len(parts),
        good=len(good),
        lost=lost,
        defects=sum(len(part.counted) for part in parts),
        iou=_share(both, found + true - both),
        f1=_share(2 * both, found + true),
        precision=_share(both, found),
        recall=_share(both, true),
        pixel_ap=counts.average_precision(),
        aupro=counts.aupro(),
        image_auroc=auroc([part.score for part in parts if not part.is_good], [part.score for part in good]),
        at_limits=at_limits(parts),
        at_detection=[at_detection(parts, detection) for detection in DETECTIONS],
        boundary_px=float(np.mean(bounds)) if bounds else None,
        kinds=kinds,
        mean_iou=float(np.mean(list(kinds.values()))) if kinds else None,
    )


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float | None:
    """The chance that a positive's score is above a negative's, ties counting half (Mann and Whitney); None without both."""
    if not positives or not negatives:
        return None
    below = np.sort(np.asarray(negatives, np.float64))
    left, right = (np.searchsorted(below, np.asarray(positives, np.float64), side) for side in ("left", "right"))
    return float((left + right).mean() / (2 * len(below)))


def detection_score(parts: Sequence[ScoredPart], detection: float) -> float | None:
    """The highest score from which on this share of the defects is found; None where fewer were found, or there is none."""
    scores = sorted((defect.score for part in parts for defect in part.counted), reverse=True)
    if not scores:
        return None
    score = scores[max(1, math.ceil(detection * len(scores) - 1e-9)) - 1]
    return score if score > 0 else None


def at_detection(parts: Sequence[ScoredPart], detection: float) -> AtDetection:
    """What good parts look like where a share ``detection`` of the defects is found."""
    above = detection_score(parts, detection)
    good = [part for part in parts if part.is_good]
    if above is None or not good:
        return AtDetection(detection, above)
    flagged = sum(part.score >= above for part in good)
    alarms = sum(score >= above for part in good for score in part.scores)
    return AtDetection(detection, above, alarms / len(good), flagged / len(good), clopper_pearson(flagged, len(good)))


def at_limits(parts: Sequence[ScoredPart]) -> AtLimits:
    """What is found, and where nothing is, at the limits that the parts were compared with."""
    good = [part.is_flagged for part in parts if part.is_good]
    defects = [defect.is_found for part in parts for defect in part.counted]
    return AtLimits(
        found=_share(sum(defects), len(defects)),
        found_interval=clopper_pearson(sum(defects), len(defects)) if defects else None,
        good_with_alarm=_share(sum(good), len(good)),
        good_interval=clopper_pearson(sum(good), len(good)) if good else None,
    )


def class_iou(parts: Sequence[ScoredPart]) -> dict[str, float]:
    """IoU of the parts of each kind of defect, its pixels taken together."""
    found: dict[str, float] = {}
    for kind in sorted({part.kind for part in parts} - {GOOD}):
        own = [part for part in parts if part.kind == kind]
        both = sum(part.intersection_px for part in own)
        union = sum(part.found_px + part.true_px for part in own) - both
        if union:
            found[kind] = both / union
    return found


def _share(count: int, total: int) -> float | None:
    return count / total if total else None
