"""An image at several sizes, looked at through a map."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Matrix, compose, invert, resize, scale

LEAST_SIDE = 16  # px of the shorter side that no smaller size goes below
Grey = NDArray[np.uint8]


class Pyramid:
    """A grey image, halved again and again by averaging, so that a reduced view of it does not alias."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        """``image`` is (H, W) grey or (H, W, 3) blue, green, red."""
        grey = image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        self.wh = (grey.shape[1], grey.shape[0])
        self._sizes: list[Grey] = [grey]
        while min(self._sizes[-1].shape) >= 2 * LEAST_SIDE:
            last = self._sizes[-1]
            half = (last.shape[1] // 2, last.shape[0] // 2)
            self._sizes.append(
                np.asarray(cv2.resize(last[: 2 * half[1], : 2 * half[0]], half, interpolation=cv2.INTER_AREA), np.uint8)
            )

    def view(self, view_from_image: Matrix, wh: tuple[int, int]) -> Grey:
        """The image through a map, (h, w); what lies outside repeats the edge.

        Args:
            view_from_image: (3, 3), affine; px of the image at its own size, pixel centres at integers.
            wh: size of the view in px.
        """
        level = 0
        factor = scale(view_from_image)
        while factor <= 0.5 and level + 1 < len(self._sizes):
            factor, level = 2 * factor, level + 1
        share = 0.5**level
        matrix = compose(view_from_image, invert(resize(share, share)))
        return np.asarray(
            cv2.warpAffine(self._sizes[level], matrix[:2], wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
            np.uint8,
        )
