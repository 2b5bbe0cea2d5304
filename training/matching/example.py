"""The one photograph that a part is found again by: its points, and the region around them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.geometry import Matrix, Points, apply, compose, crop, resize, scale
from training.matching.pyramid import Grey, Pyramid

AROUND = 0.12  # of the points' extent that the region reaches beyond them
LONE = 0.12  # of the shorter side of the photograph around a single point
LEAST_EXTENT_PX = 24.0


@dataclass(frozen=True, slots=True)
class Level:
    """The region at one size.

    Attributes:
        grey: (h, w) uint8.
        mask: (h, w) uint8, 255 where it is taken to be the part.
        level_from_example: (3, 3).
        scale: px of the level to one px of the photograph.
    """

    grey: Grey
    mask: Grey
    level_from_example: Matrix
    scale: float

    @property
    def wh(self) -> tuple[int, int]:
        """Width and height in px."""
        return self.grey.shape[1], self.grey.shape[0]


class Example:
    """A photograph with marked points."""

    def __init__(self, image: NDArray[np.uint8], xy_px: Points) -> None:
        """Look at the region around the points.

        Args:
            image: (H, W) grey or (H, W, 3) BGR.
            xy_px: (k, 2), pixel centres at integers, k at least 1.

        Raises:
            DataError: no points, or one outside the image.
        """
        self.xy_px = np.asarray(xy_px, np.float64).reshape(-1, 2)
        self._pyramid = Pyramid(image)
        width, height = self._pyramid.wh
        inside = np.isfinite(self.xy_px).all(1) & (self.xy_px >= -0.5).all(1)
        inside &= (self.xy_px <= (width - 0.5, height - 0.5)).all(1)
        if not len(self.xy_px) or not inside.all():
            raise DataError("a marked point is outside of the image", allowed=f"-0.5 to {width - 0.5}, {height - 0.5}")
        low, high = self.xy_px.min(0), self.xy_px.max(0)
        margin = max(AROUND * float((high - low).max()), LEAST_EXTENT_PX / 2)
        if float((high - low).max()) < LEAST_EXTENT_PX:  # points in one place say nothing of how large the part is
            margin = max(margin, LONE * min(width, height))
        self._margin = margin
        self.low, self.high = low - margin, high + margin
        self.extent_px = float((self.high - self.low).max())
        self.centre_px = (self.low + self.high) / 2

    def level(self, extent: float) -> Level:
        """The region with its longer side about ``extent`` px, never larger than the photograph shows it."""
        factor = min(extent / self.extent_px, 1.0)
        matrix = compose(resize(factor, factor), crop(float(self.low[0]), float(self.low[1])))
        wide, high = (max(1, int(np.ceil(side * factor))) for side in (self.high - self.low))
        return Level(self.view(matrix, (wide, high)), self.mask(matrix, (wide, high)), matrix, factor)

    def view(self, view_from_example: Matrix, wh: tuple[int, int]) -> Grey:
        """The photograph through a map."""
        return self._pyramid.view(view_from_example, wh)

    def mask(self, view_from_example: Matrix, wh: tuple[int, int]) -> Grey:
        """The points' hull, widened by the margin, through a map that turns, moves and scales: 255 within."""
        mask = np.zeros(wh[::-1], np.uint8)
        points = np.rint(apply(view_from_example, self.xy_px)).astype(np.int32)
        hull = cv2.convexHull(points.reshape(-1, 1, 2))
        reach = max(1, round(self._margin * scale(view_from_example)))
        cv2.fillConvexPoly(mask, hull, 255)
        cv2.polylines(mask, [hull], True, 255, 2 * reach)
        for x, y in points.tolist():
            cv2.circle(mask, (x, y), reach, 255, cv2.FILLED)
        return mask
