"""A part's pose made exact: many patches look for themselves, and those that agree on one movement say where the part is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Matrix, Points, apply, compose, invert, scale
from pipeline.similarity import robust_similarity
from training.matching.agreement import agreement
from training.matching.example import Example, Level
from training.matching.pyramid import Pyramid

EXTENTS = (128.0, 320.0)  # px of the part's longer side in each pass
REACH = (7.0, 5.0)  # px that a patch may be off in each pass
ROUNDS = 2
MOST_ANCHORS = 60
HALF = 8.0  # px of half an anchor's side
ALIKE = 0.35  # correlation below which a patch says nothing
AGREES_PX = 2.0  # px from where the pose puts an anchor, at the last pass


@dataclass(frozen=True, slots=True)
class Fit:
    """An exact pose.

    Attributes:
        image_from_example: (3, 3), turns, moves and scales.
        agree: share of the patches that are alike and where the pose puts them, 0 to 1.
    """

    image_from_example: Matrix
    agree: float


class PoseFit:
    """Makes poses of one example's part exact."""

    def __init__(self, example: Example) -> None:
        """Choose the patches."""
        self._levels = [example.level(extent) for extent in EXTENTS]
        self._anchors = [_anchors(level) for level in self._levels]

    def fit(self, image: Pyramid, image_from_example: Matrix) -> Fit:
        """Follow the patches from a rough pose to an exact one."""
        agree = 0.0
        for level, anchors, reach in zip(self._levels, self._anchors, REACH, strict=True):
            for _ in range(ROUNDS):
                image_from_level = compose(image_from_example, invert(level.level_from_example))
                found = image.view(invert(image_from_level), level.wh)
                seen = agreement(level.grey, found, anchors, HALF, reach)
                weight = np.where(seen.alike > ALIKE, seen.alike, 0.0)
                moved = robust_similarity(anchors, seen.xy_px, weight)
                if moved is None or not 0.7 < scale(moved) < 1.4:
                    return Fit(image_from_example, 0.0)
                apart = np.hypot(*(seen.xy_px - apply(moved, anchors)).T)
                agree = float(((weight > 0) & (apart < AGREES_PX)).mean())
                image_from_example = compose(image_from_level, moved, level.level_from_example)
        return Fit(image_from_example, agree)


def _anchors(level: Level) -> Points:
    """Patches with corners, spread over the region."""
    apart = max(3.0, 0.6 * float(np.sqrt(float((level.mask > 0).sum()) / MOST_ANCHORS)))
    found: NDArray[np.float32] | None = cv2.goodFeaturesToTrack(  # type: ignore[assignment]  # None where there are none
        level.grey, MOST_ANCHORS, 0.01, apart, mask=level.mask, blockSize=5
    )
    if found is None:
        return np.zeros((0, 2))
    return np.asarray(found, np.float64).reshape(-1, 2)
