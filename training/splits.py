"""Dividing a labelled set: parts of an image, and near-duplicate images, are never on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from training.data import Dataset


@dataclass(frozen=True, slots=True)
class Splits:
    """Parts for training, for calibration and for choosing, as indices into ``Dataset.parts``."""

    train: NDArray[np.int64]
    calibration: NDArray[np.int64]
    validation: NDArray[np.int64]


def split(
    dataset: Dataset, *, calibration: float, validation: float, seed: int, groups: NDArray[np.int64] | None = None
) -> Splits:
    """Divide by group of images; the same seed and images give the same split.

    Args:
        dataset: what is divided.
        calibration: share of the images; whole groups are taken until it is reached.
        validation: the same.
        seed: of the order in which groups are taken.
        groups: a group for every image of ``dataset.images``, as `training.near_duplicates.groups` finds them; without
            it, every image is its own.

    Raises:
        DataError: too few images, or too few groups of them, for three parts.
    """
    members = _members(dataset, groups)
    images = sum(len(group) for group in members)
    counts = [max(1, round(share * images)) for share in (calibration, validation)]
    if len(members) < 3 or images < sum(counts) + 1:
        raise DataError(
            f"{images} images, {len(members)} of them different", where="--coco", allowed="at least 3 with parts"
        )
    side = np.zeros(images, np.int64)
    order = [members[index] for index in np.random.default_rng(seed).permutation(len(members))]
    for number, count in enumerate(counts, 1):
        taken = 0
        spare = 3 - number  # a group for each side that is still to come
        while taken < count and (taken == 0 or len(order) > spare):
            group = order.pop(0)
            side[group] = number
            taken += len(group)
    sides = side[_image_of_part(dataset)]
    train, first, second = (np.flatnonzero(sides == number) for number in (0, 1, 2))
    return Splits(train, first, second)


def folds(
    dataset: Dataset, *, count: int, seed: int, groups: NDArray[np.int64] | None = None
) -> list[NDArray[np.int64]]:
    """Divide the parts into ``count`` folds of about as many parts, for cross-validation.

    Args:
        dataset: what is divided.
        count: how many folds, 2 or more.
        seed: of the order in which groups of images are dealt.
        groups: as in `split`.

    Returns:
        for each fold the indices into ``dataset.parts``, ascending; together every part once.

    Raises:
        DataError: fewer different images than folds.
    """
    members = _members(dataset, groups)
    if not 2 <= count <= len(members):
        raise DataError(
            f"{count} folds of {len(members)} different images",
            allowed=f"2 to {len(members)}" if len(members) > 1 else "at least 2 images that are no near-duplicates",
        )
    image_of_part = _image_of_part(dataset)
    parts_of_image = np.bincount(image_of_part, minlength=len(dataset.images))
    order = [members[index] for index in np.random.default_rng(seed).permutation(len(members))]
    order.sort(key=lambda group: -int(parts_of_image[group].sum()))  # the largest first, then what is left evens out
    fold = np.zeros(len(dataset.images), np.int64)
    sizes = np.zeros(count, np.int64)
    for group in order:
        smallest = int(sizes.argmin())
        fold[group] = smallest
        sizes[smallest] += parts_of_image[group].sum()
    return [np.flatnonzero(fold[image_of_part] == number) for number in range(count)]


def _members(dataset: Dataset, groups: NDArray[np.int64] | None) -> list[NDArray[np.int64]]:
    """The images (indices into ``dataset.images``) of each group, by the group's first image."""
    images = len(dataset.images)
    if groups is None:
        return [np.array([index]) for index in range(images)]
    if len(groups) != images:
        raise ValueError(f"{len(groups)} groups for {images} images")
    first = list(dict.fromkeys(groups.tolist()))
    return [np.flatnonzero(groups == group) for group in first]


def _image_of_part(dataset: Dataset) -> NDArray[np.int64]:
    index = {image: number for number, image in enumerate(dataset.images)}
    return np.array([index[part.image] for part in dataset.parts], np.int64)
