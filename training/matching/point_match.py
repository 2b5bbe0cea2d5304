"""Each marked point found for itself, once the part's pose is known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Matrix, Points, apply, compose, invert
from training.matching.agreement import agreement
from training.matching.edges import edge_strength
from training.matching.example import Example
from training.matching.pyramid import Grey, Pyramid

EXTENT = 900.0  # px of the part's longer side, at most
HALF = 0.06  # half a patch's side, in shares of the extent: it has to cover a feature
REACH = 0.02  # how far a feature may lie from where the pose puts it, likewise
CLOSE = 0.025  # half a small patch's side: what is missing beside others that are there shows only close up
CLOSE_REACH = 0.006
SURE = 0.6  # correlation from which on a patch is followed


@dataclass(frozen=True, slots=True)
class PointMatch:
    """Where the K points are.

    Attributes:
        xy_px: (K, 2) in the image.
        alike: (K,) correlation of the edges around it with those that were marked, 1 at most.
        close: (K,) that of the grey levels of a small patch there; the same as ``alike`` where it is too flat to tell.
        apart: (K,) from where the pose alone puts the point to the best place near it, in shares of the part's extent.
    """

    xy_px: Points
    alike: NDArray[np.float64]
    close: NDArray[np.float64]
    apart: NDArray[np.float64]


class PointSearch:
    """Finds the points of one example near where a pose puts them."""

    def __init__(self, example: Example) -> None:
        """Take the patches out of the photograph."""
        self._level = example.level(EXTENT)
        self._edges = edge_strength(self._level.grey)
        self._soft = _softened(self._level.grey)
        self._xy_px = example.xy_px
        self._extent_px = example.extent_px

    def find(self, image: Pyramid, image_from_example: Matrix, reach: float = REACH) -> PointMatch:
        """Look around each place; a patch that is not alike leaves its point where the pose puts it.

        Args:
            image: the photograph to look in.
            image_from_example: (3, 3), the pose.
            reach: how far to look, in shares of the part's extent.
        """
        level = self._level
        image_from_level = compose(image_from_example, invert(level.level_from_example))
        found = image.view(invert(image_from_level), level.wh)
        asked = apply(level.level_from_example, self._xy_px)
        unit = self._extent_px * level.scale
        seen = agreement(self._edges, edge_strength(found), asked, HALF * unit, reach * unit)
        apart = np.hypot(*(seen.xy_px - asked).T) / unit
        alike = np.nan_to_num(seen.alike)
        xy = np.where((alike >= SURE)[:, None], seen.xy_px, asked)
        close = agreement(self._soft, _softened(found), asked, CLOSE * unit, CLOSE_REACH * unit, xy).alike
        return PointMatch(apply(image_from_level, xy), alike, np.where(np.isfinite(close), close, alike), apart)


def _softened(grey: Grey) -> Grey:
    """Without the finest noise, which would make small patches of the same thing look different."""
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.2), np.uint8)
