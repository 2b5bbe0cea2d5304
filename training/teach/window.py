"""The square of an image that the keypoint model looks at."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError

Image = NDArray[np.uint8]
Points = NDArray[np.float64]
_AROUND = 2.0  # side of a window in spans of the points that it is laid around: as wide as parts were in training
_WORTH = 0.75  # of the whole: a window that is hardly smaller shows nothing more


@dataclass(frozen=True)
class Window:
    """Top left corner and side in px of the image; may reach out of it."""

    left: int
    top: int
    side: int

    def cut(self, image: Image, side: int) -> Image:
        """The window as (side, side) grey; what lies outside of the image repeats its border."""
        high, wide = image.shape[:2]
        left, top = max(self.left, 0), max(self.top, 0)
        right, bottom = min(self.left + self.side, wide), min(self.top + self.side, high)
        inner = grey(image[top:bottom, left:right])
        around = (top - self.top, self.top + self.side - bottom, left - self.left, self.left + self.side - right)
        whole = cv2.copyMakeBorder(inner, *around, cv2.BORDER_REPLICATE)
        how = cv2.INTER_AREA if self.side > side else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(whole, (side, side), interpolation=how), np.uint8)

    def inward(self, xy_px: Points, side: int) -> Points:
        """Points (K, 2) of the image in the cut."""
        return (xy_px - (self.left, self.top) + 0.5) * (side / self.side) - 0.5

    def outward(self, xy_px: Points, side: int) -> Points:
        """Points (K, 2) of the cut in the image."""
        return np.asarray((xy_px + 0.5) * (self.side / side) - 0.5 + (self.left, self.top), np.float64)


def grey(image: Image) -> Image:
    """Grey (H, W) of grey or BGR."""
    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def checked(image: Image) -> Image:
    """The image, if it is one. Raises DataError."""
    fits = image.dtype == np.uint8 and (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3))
    if not fits or min(image.shape[:2]) < 8:
        raise DataError(f"an image is {image.dtype} {image.shape}", allowed="uint8 (H, W) or (H, W, 3), 8 px or more")
    return image


def whole(image: Image) -> Window:
    """All of the image, in the middle of a square."""
    high, wide = image.shape[:2]
    side = max(high, wide)
    return Window((wide - side) // 2, (high - side) // 2, side)


def around(image: Image, xy_px: Points) -> Window | None:
    """A closer window around points (K, 2), or None where the whole image shows as much."""
    if len(xy_px) < 2:
        return None
    low, high = xy_px.min(0), xy_px.max(0)
    side = round(_AROUND * float((high - low).max()))
    if not 16 <= side < _WORTH * max(image.shape[:2]):
        return None
    left, top = np.rint((low + high) / 2 - side / 2).astype(int)
    window = Window(int(left), int(top), side)
    inside = left < image.shape[1] - 8 and top < image.shape[0] - 8 and left + side > 8 and top + side > 8
    return window if inside else None
