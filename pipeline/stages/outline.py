"""Connected pieces of a mask: outlined, filled, and cut apart where they are narrow."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]  # 0 or 1

SMALLEST_PIECE = 0.1  # of the whole: less is a bump of the outline, no part that touches another
_CLOSING = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


@dataclass(frozen=True)
class Outline:
    """One piece without holes. `mask` is its bounding box, `corner` the place x, y of that box in the image."""

    mask: Mask
    corner: tuple[int, int]

    @cached_property
    def area(self) -> float:
        """In px of the mask."""
        return float(cv2.countNonZero(self.mask))

    @cached_property
    def compactness(self) -> float:
        """1 for a rectangle at any angle; how far it fills its convex hull times how far it fills its rectangle."""
        contours, _ = cv2.findContours(self.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        points = np.vstack(contours)
        hull = np.zeros_like(self.mask)
        cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
        _, (width, height), _ = cv2.minAreaRect(points)
        rectangle = (width + 1.0) * (height + 1.0)  # contours run through pixel centres
        return self.area / cv2.countNonZero(hull) * min(1.0, self.area / rectangle)

    def within(self, image: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The part of a mask of the whole image that lies in this piece, in its box."""
        x, y = self.corner
        height, width = self.mask.shape
        return image[y : y + height, x : x + width] & (self.mask > 0)

    def meets(self, image: NDArray[np.bool_]) -> bool:
        """Whether a mask of the whole image is set anywhere in this piece."""
        return bool(self.within(image).any())


def outlines(mask: NDArray[np.bool_], smallest: float, corner: tuple[int, int] = (0, 0)) -> list[Outline]:
    """The pieces of a mask, small gaps closed, holes filled, of at least `smallest` px. `corner` is the mask's place."""
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, _CLOSING)
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for contour in contours:
        x, y, width, height = cv2.boundingRect(contour)
        if width * height < smallest:
            continue
        filled = np.zeros((height, width), np.uint8)
        cv2.drawContours(filled, [contour], -1, 1, cv2.FILLED, offset=(-x, -y))
        outline = Outline(filled, (corner[0] + x, corner[1] + y))
        if outline.area >= smallest:
            found.append(outline)
    return found


def cut_at_neck(outline: Outline, smallest: float) -> list[Outline]:
    """The pieces into which an outline falls when it is worn away from its edge; none where it never falls apart.

    Each px goes to the piece whose core is nearest.
    """
    depth = cv2.distanceTransform(np.pad(outline.mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    for worn in np.arange(1.0, float(depth.max()), 0.5):
        count, cores, figures, _ = cv2.connectedComponentsWithStats((depth > worn).astype(np.uint8))
        large = [core for core in range(1, count) if figures[core, cv2.CC_STAT_AREA] >= SMALLEST_PIECE * outline.area]
        if len(large) > 1:
            distances = [cv2.distanceTransform((cores != core).astype(np.uint8), cv2.DIST_L2, 5) for core in large]
            nearest = np.argmin(distances, axis=0)
            shares = [(nearest == number) & (outline.mask > 0) for number in range(len(large))]
            return [piece for share in shares for piece in _largest(outlines(share, smallest, outline.corner))]
    return []


def _largest(pieces: list[Outline]) -> list[Outline]:
    return [max(pieces, key=lambda piece: piece.area)] if pieces else []
