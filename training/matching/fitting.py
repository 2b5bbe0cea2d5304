"""A part's pose made exact: many patches look for themselves, and those that agree on one movement say where the part is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Matrix, Points, apply, compose, invert, scale
from pipeline.similarity import robust_similarity
from training.matching.agreement import agreement
from training.matching.edges import edge_strength
from training.matching.example import Example
from training.matching.pyramid import Grey, Pyramid

ROUNDS = 2
SPREAD = (0.6, 0.25)  # least distance of patches, in shares of that at which they would fill the region: grey, edges
LEAST_HALF = 6.0
ALIKE = 0.35  # correlation below which a patch says nothing
AGREES_PX = 2.0  # from where the pose puts an anchor


@dataclass(frozen=True, slots=True)
class _Pass:
    """One way of looking.

    Attributes:
        extent: px of the part's longer side.
        half, reach: half a patch's side, and how far it may be off, in px.
        most, block: so many patches, chosen for corners of this size in px.
        shown: what is compared: grey levels, which tell more, or edges, which tell better where.
        counts: its patches tell whether the pose is right.
    """

    extent: float
    half: float
    reach: float
    most: int
    block: int
    shown: Callable[[Grey], Grey] | None = None
    counts: bool = False


PASSES = (
    _Pass(128.0, 8.0, 7.0, 60, 5),
    _Pass(320.0, 8.0, 5.0, 60, 5, counts=True),
    _Pass(900.0, 32.0, 5.0, 100, 9, edge_strength),
)


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
        self._passes = []
        for each in PASSES:
            level = example.level(each.extent)
            shown = level.grey if each.shown is None else each.shown(level.grey)
            half = each.half * min(1.0, example.extent_px * level.scale / each.extent)
            self._passes.append((each, level, shown, _anchors(each, shown, level.mask), max(half, LEAST_HALF)))

    def fit(self, image: Pyramid, image_from_example: Matrix) -> Fit:
        """Follow the patches from a rough pose to an exact one."""
        agree = 0.0
        for each, level, shown, anchors, half in self._passes:
            for _ in range(ROUNDS):
                image_from_level = compose(image_from_example, invert(level.level_from_example))
                found = image.view(invert(image_from_level), level.wh)
                seen = agreement(shown, found if each.shown is None else each.shown(found), anchors, half, each.reach)
                weight = np.where(seen.alike > ALIKE, seen.alike, 0.0)
                moved = robust_similarity(anchors, seen.xy_px, weight)
                if moved is None or not 0.7 < scale(moved) < 1.4:
                    return Fit(image_from_example, 0.0)
                if each.counts:
                    apart = np.hypot(*(seen.xy_px - apply(moved, anchors)).T)
                    agree = float(((weight > 0) & (apart < AGREES_PX)).mean())
                image_from_example = compose(image_from_level, moved, level.level_from_example)
        return Fit(image_from_example, agree)


def _anchors(each: _Pass, shown: Grey, mask: Grey) -> Points:
    """Patches with corners, spread over the region; where edges are compared, they may crowd at the features."""
    spread = SPREAD[each.shown is not None]
    apart = max(3.0, spread * float(np.sqrt(float((mask > 0).sum()) / each.most)))
    found: NDArray[np.float32] | None = cv2.goodFeaturesToTrack(  # type: ignore[assignment]  # None where there are none
        shown, each.most, 0.01, apart, mask=mask, blockSize=each.block
    )
    if found is None:
        return np.zeros((0, 2))
    return np.asarray(found, np.float64).reshape(-1, 2)
