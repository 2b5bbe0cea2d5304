"""What a teacher answers: where a keypoint is in an image, and what is at a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Proposal:
    """One keypoint in one image.

    Attributes:
        name: as it was asked for, or as the teacher itself names it where no name was given.
        xy_px: (2,) float64 in the image as it was given, pixel centres at integers.
        confidence: 0..1, that the keypoint is there and seen.
        visible: whether the teacher takes it for visible.
        text: the whole answer, such as "part: plate; keypoint: upper left hole; position: <kpt>".
    """

    name: str
    xy_px: NDArray[np.float64]
    confidence: float
    visible: bool
    text: str


@dataclass(frozen=True)
class Answer:
    """What is at a place.

    Attributes:
        part, keypoint: names; empty where the text could not be read.
        text: the whole answer.
        confidence: 0..1, of the words.
    """

    part: str
    keypoint: str
    text: str
    confidence: float


class FindsKeypoints(Protocol):
    """A teacher. Images are uint8, grey (H, W) or BGR (H, W, 3), of any size; each shows one part."""

    def locate_like(
        self,
        images: Sequence[Image],
        support_image: Image,
        xy_px: NDArray[np.float64],
        names: Sequence[str] | None = None,
    ) -> list[list[Proposal]]:
        """Find the keypoints that were marked at ``xy_px`` (K, 2) of the support image: for each image K proposals in order."""
        ...

    def locate_words(self, images: Sequence[Image], words: Sequence[str]) -> list[list[Proposal]]:
        """Find what is described: for each image one proposal for each description, in order."""
        ...

    def name_at(self, image: Image, xy_px: NDArray[np.float64]) -> Answer:
        """What the keypoint at ``xy_px`` (2,) is."""
        ...
