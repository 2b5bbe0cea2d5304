"""What a labelled set is: the names of its keypoints, and every part with their positions and states."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError

VISIBLE, HIDDEN, MISSING = 2, 1, 0


@dataclass(frozen=True, slots=True)
class Part:
    """One annotated part.

    Attributes:
        image: path of the image.
        image_wh: its size in px.
        xy_sensor_px: (K, 2) float64, pixel centres at integers; NaN where the file gives no position.
        state: (K,) int8, 2 visible, 1 hidden, 0 missing.
        box: x, y, width, height in sensor px, corner convention.
        annotation: id in the file.
    """

    image: Path
    image_wh: tuple[int, int]
    xy_sensor_px: NDArray[np.float64]
    state: NDArray[np.int8]
    box: tuple[float, float, float, float]
    annotation: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """The keypoint names and all parts, ordered by image then annotation; ``name`` is what the part is called."""

    keypoints: tuple[str, ...]
    parts: tuple[Part, ...]
    name: str = "part"

    @property
    def images(self) -> tuple[Path, ...]:
        """Every image that has a part, once, in order."""
        return tuple(dict.fromkeys(part.image for part in self.parts))


def digest(dataset: Dataset, parts: NDArray[np.int64]) -> str:
    """16 hex digits that change with any label of ``parts``, their order, or the images they are on."""
    sha = hashlib.sha256()
    for index in parts:
        part = dataset.parts[index]
        sha.update(f"{part.image.name} {part.annotation} {part.image_wh} {part.box} ".encode())
        sha.update(part.xy_sensor_px.tobytes() + part.state.tobytes())
    return sha.hexdigest()[:16]


def joined(datasets: Sequence[Dataset]) -> Dataset:
    """Several labelled sets of one part as one.

    Raises:
        DataError: their keypoints differ in name or order.
    """
    first = datasets[0]
    for other in datasets[1:]:
        if other.keypoints != first.keypoints:
            raise DataError(
                f"a set has keypoints {', '.join(other.keypoints)}", where="--coco", allowed=", ".join(first.keypoints)
            )
    parts = sorted((part for one in datasets for part in one.parts), key=lambda part: (part.image, part.annotation))
    return Dataset(first.keypoints, tuple(parts), first.name)
