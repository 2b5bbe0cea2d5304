"""One photograph's part found again in others: its pose looked for, made exact, then each point by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Matrix, Points
from training.matching.example import Example
from training.matching.fitting import Fit, PoseFit
from training.matching.point_match import PointMatch, PointSearch
from training.matching.poses import PoseSearch
from training.matching.pyramid import Pyramid

CANDIDATES = 3
_BY_ALIKE, _BY_CLOSE, _BY_APART, _BIAS = 7.42, 7.64, 171.5, -5.59
_BY_CHANCE = 0.11  # largest share of agreeing patches that was seen at a wrong pose
PROMISING = 0.5  # of the best pose's score: others are not looked at closely


@dataclass(frozen=True, slots=True)
class Matched:
    """One part found again: its exact pose and its points."""

    fit: Fit
    points: PointMatch

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(K,), 0 to 1, that each point is there, seen and found; 0.5 or more counts as visible.

        A logistic regression on how alike it looks, in edges and close up, and how far it lies from its place, learnt on
        rendered parts of six families and judged on each family that was left out (docs/teach.md). Few patches agree by
        chance on a part that is not there: below that nothing is sure.
        """
        points = self.points
        odds = _BY_ALIKE * points.alike + _BY_CLOSE * points.close - _BY_APART * points.apart + _BIAS
        told = 1.0 / (1.0 + np.exp(-odds))
        there = np.clip((self.fit.agree - _BY_CHANCE) / _BY_CHANCE, 0.0, 1.0)
        return np.asarray(told * there)


class Matcher:
    """Finds one example's part in images, in any direction, about as large as it was."""

    def __init__(self, image: NDArray[np.uint8], xy_px: Points, *, rotation_deg: float = 180.0) -> None:
        """Learn the example: (H, W) grey or (H, W, 3) BGR, its points (k, 2)."""
        example = Example(image, xy_px)
        self._poses = PoseSearch(example, rotation_deg=rotation_deg)
        self._fit = PoseFit(example)
        self._points = PointSearch(example)

    def find(self, image: NDArray[np.uint8]) -> Matched:
        """The pose that most patches agree with, and the points there."""
        pyramid = Pyramid(image)
        poses = self._poses.find(pyramid, CANDIDATES)
        near = [pose for pose in poses if pose.score >= PROMISING * poses[0].score]
        fits = [self._fit.fit(pyramid, pose.image_from_example) for pose in near]
        best = max(range(len(fits)), key=lambda index: (fits[index].agree, near[index].score))
        points = self._points.find(pyramid, fits[best].image_from_example)
        return Matched(fits[best], points)

    def refine(self, image: NDArray[np.uint8], image_from_example: Matrix) -> Matched:
        """The same from a pose that is roughly known, by about a twentieth of the part's extent, 10° and a tenth in size."""
        pyramid = Pyramid(image)
        fit = self._fit.fit(pyramid, image_from_example)
        return Matched(fit, self._points.find(pyramid, fit.image_from_example))
