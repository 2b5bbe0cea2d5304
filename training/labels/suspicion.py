"""Which labels deserve a second look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipeline.camera.image_size import image_size
from training.data import VISIBLE, Dataset
from training.label_noise import ShapeNoise
from training.near_duplicates import LABELS_AGREE, NearDuplicates

FAR = 6.0  # standard deviations; one label in millions of good ones
OUTSIDE = 0.1  # of the box's larger side that a visible keypoint may lie outside of it
TWICE = 0.8  # overlap of two boxes of an image that may be the same thing
_FIRST = 1000.0  # what is wrong for certain comes before what is only unlikely
_LEAST_SIGMA_PX = 0.25  # labels of a renderer have none, and every one would be far


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A label that may be wrong.

    Attributes:
        part: index into ``Dataset.parts``.
        keypoint: index of the keypoint; None for the whole part.
        weight: the more, the likelier.
        text: why.
    """

    part: int
    keypoint: int | None
    weight: float
    text: str


def suspicions(dataset: Dataset, shape: ShapeNoise | None, duplicates: NearDuplicates) -> list[Suspicion]:
    """All that is found, the likeliest first."""
    found = [
        *_of_size(dataset),
        *_twice(dataset),
        *_outside(dataset),
        *_disagreeing(dataset, duplicates),
        *(_far(shape) if shape is not None else ()),
    ]
    return sorted(found, key=lambda suspicion: -suspicion.weight)


def _of_size(dataset: Dataset) -> Iterator[Suspicion]:
    first = {part.image: index for index, part in reversed(list(enumerate(dataset.parts)))}
    for image, index in first.items():
        size = image_size(image)
        if size != dataset.parts[index].image_wh:
            stated = "{} x {}".format(*dataset.parts[index].image_wh)
            yield Suspicion(index, None, 2 * _FIRST, f"the image is {size[0]} x {size[1]}, the labels are for {stated}")


def _twice(dataset: Dataset) -> Iterator[Suspicion]:
    of_image: dict[object, list[int]] = {}
    for index, part in enumerate(dataset.parts):
        of_image.setdefault(part.image, []).append(index)
    for indices in of_image.values():
        for a, b in combinations(indices, 2):
            share = _overlap(dataset.parts[a].box, dataset.parts[b].box)
            if share >= TWICE:
                other = dataset.parts[b].annotation
                yield Suspicion(a, None, _FIRST + share, f"annotation {other} is {share:.0%} of the same box")


def _outside(dataset: Dataset) -> Iterator[Suspicion]:
    for index, part in enumerate(dataset.parts):
        x, y, wide, high = part.box
        xy = part.xy_sensor_px + 0.5
        beyond = np.maximum(np.maximum((x, y) - xy, xy - (x + wide, y + high)), 0).max(1) / max(wide, high)
        for k in np.flatnonzero((part.state == VISIBLE) & (beyond > OUTSIDE)):
            text = f"is outside of the part's box by {beyond[k]:.0%} of its side"
            yield Suspicion(index, int(k), _FIRST + float(beyond[k]), text)


def _disagreeing(dataset: Dataset, duplicates: NearDuplicates) -> Iterator[Suspicion]:
    for pair in duplicates.pairs:
        if pair.apart > LABELS_AGREE:
            other = dataset.parts[pair.b]
            like = f"looks like annotation {other.annotation} of {other.image.name}"
            text = f"{like}, but the labels differ by {pair.apart:.0%} of the part"
            yield Suspicion(pair.a, None, _FIRST + pair.apart, text)


def _far(shape: ShapeNoise) -> Iterator[Suspicion]:
    sigma = np.maximum(shape.sigma_px, _LEAST_SIGMA_PX)
    sigmas = shape.off_px / sigma
    for index, k in np.argwhere(np.nan_to_num(sigmas) > FAR).tolist():
        off, times = shape.off_px[index, k], sigmas[index, k]
        text = f"is {off:.1f} px from where the part's other labels put it, {times:.0f} times the spread"
        yield Suspicion(index, k, min(float(times), _FIRST - 1), text)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / (a[2] * a[3] + b[2] * b[3] - wide * high)
