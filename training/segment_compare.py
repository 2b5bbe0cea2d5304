"""One part: the defects that were found against those that are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.result import Defect
from pipeline.segment_thresholds import SegmentThresholds
from training.masks.sample import Mask
from training.segment_maps import Window, draw

COUNTED_PX = 30.0  # a defect of at most this area (sensor px²) need not be found
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


@dataclass(frozen=True, slots=True)
class TrueDefect:
    """A connected defect of the truth.

    Attributes:
        area_px: in sensor px².
        score: the highest of what was found on it, however low; 0 for nothing.
        is_found: something on it counts by the limits.
    """

    area_px: float
    score: float
    is_found: bool


@dataclass(frozen=True, slots=True)
class ScoredPart:
    """One part.

    Attributes:
        name, kind: of the sample.
        is_good: it has no defect.
        scores: of everything found, highest first, however low.
        defects: those of the truth.
        intersection_px, found_px, true_px: pixels of what counts as found by the limits, of the truth, and of both.
        boundary_px: mean distance between the boundaries of defects that were found and of what was found on them, both
            ways, in sensor px; None where nothing was.
        is_flagged: something counts as found.
    """

    name: str
    kind: str
    is_good: bool
    scores: tuple[float, ...]
    defects: tuple[TrueDefect, ...]
    intersection_px: int
    found_px: int
    true_px: int
    boundary_px: float | None
    is_flagged: bool

    @property
    def score(self) -> float:
        """Of the part: the highest of what was found, 0 for nothing."""
        return max(self.scores, default=0.0)

    @property
    def counted(self) -> tuple[TrueDefect, ...]:
        """The defects that must be found."""
        return tuple(defect for defect in self.defects if defect.area_px > COUNTED_PX)

    @property
    def is_missed(self) -> bool:
        """It has a defect that must be found, and none of them was."""
        return bool(self.counted) and not any(defect.is_found for defect in self.counted)

    @property
    def iou(self) -> float:
        """Intersection over union; 1 where there is neither a defect nor anything found."""
        union = self.found_px + self.true_px - self.intersection_px
        return self.intersection_px / union if union else 1.0


def compare(
    truth: Mask, found: Sequence[Defect], limits: SegmentThresholds, seen: Window, *, name: str, kind: str
) -> ScoredPart:
    """Compare a part with its truth.

    Args:
        truth: (h, w) of the whole sensor.
        found: everything found at the limits' ``mask_above``, with any score and area.
        limits: what of it counts.
        seen: the part of the sensor that is compared: what the network saw.
        name: of the sample.
        kind: of its defect.
    """
    labels = np.zeros(truth.shape, np.int32)
    for number, defect in enumerate(found, 1):
        draw(defect.mask, number, labels)
    own, own_truth = labels[seen.rows, seen.columns], truth[seen.rows, seen.columns]
    _, true_labels = cv2.connectedComponents(own_truth.astype(np.uint8), connectivity=8)
    scores = np.array([0.0, *(defect.score for defect in found)])
    counts = [False, *(_counts(defect, limits) for defect in found)]
    is_found = np.array(counts)[own]
    visible = [found[number - 1].score for number in np.unique(own).tolist() if number]
    return ScoredPart(
        name=name,
        kind=kind,
        is_good=not own_truth.any(),
        scores=tuple(sorted(visible, reverse=True)),
        defects=_true_defects(np.asarray(true_labels, np.int32), scores[own], is_found),
        intersection_px=int((is_found & own_truth).sum()),
        found_px=int(is_found.sum()),
        true_px=int(own_truth.sum()),
        boundary_px=_boundary_px(np.asarray(true_labels, np.int32), np.where(is_found, own, 0)),
        is_flagged=bool(is_found.any()),
    )


def lost_part(truth: Mask, *, name: str, kind: str) -> ScoredPart:
    """A part that was not located: none of its defects is found."""
    _, labels = cv2.connectedComponents(truth.astype(np.uint8), connectivity=8)
    defects = _true_defects(np.asarray(labels, np.int32), np.zeros(truth.shape), truth & False)
    return ScoredPart(name, kind, not truth.any(), (), defects, 0, 0, int(truth.sum()), None, is_flagged=False)


def boundary_distance(a: Mask, b: Mask) -> float | None:
    """Mean distance in px from each boundary px of one mask to the nearest of the other, over both masks.

    A boundary px belongs to the mask and has one of its four neighbours outside; the image's edge is no boundary. None where
    a mask has no boundary. (Average symmetric surface distance.)
    """
    edges = [_boundary(mask) for mask in (a, b)]
    if not all(edge.any() for edge in edges):
        return None
    away = [cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for edge in edges]
    return float(np.concatenate((away[1][edges[0]], away[0][edges[1]])).mean())


def _boundary(mask: Mask) -> Mask:
    inner = cv2.erode(mask.astype(np.uint8), _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return np.asarray(mask & (inner == 0), np.bool_)


def _counts(defect: Defect, limits: SegmentThresholds) -> bool:
    return defect.score >= limits.score_above and defect.area_px >= limits.min_area_px


def _true_defects(labels: NDArray[np.int32], score_px: NDArray[np.float64], is_found: Mask) -> tuple[TrueDefect, ...]:
    areas = np.bincount(labels.ravel())
    best, pixels = np.zeros(len(areas)), np.bincount(labels.ravel(), weights=is_found.ravel())
    np.maximum.at(best, labels.ravel(), score_px.ravel())
    return tuple(
        TrueDefect(float(area), float(score), bool(count))
        for area, score, count in zip(areas[1:], best[1:], pixels[1:], strict=True)
    )


def _boundary_px(true_labels: NDArray[np.int32], found_labels: NDArray[np.int32]) -> float | None:
    """Of the defects that something was found on, and of what was found on defects."""
    both = (true_labels > 0) & (found_labels > 0)
    if not both.any():
        return None
    truth = np.isin(true_labels, np.unique(true_labels[both]))
    found = np.isin(found_labels, np.unique(found_labels[both]))
    return boundary_distance(truth, found)
