"""Dividing a set of masks: a group stays together, and every kind is on every side in about the wanted share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from training.masks.sample import MaskedSet

Indices = NDArray[np.int64]


def divide(images: MaskedSet, shares: Sequence[float], seed: int, *, by_group: bool = True) -> list[Indices]:
    """Divide into as many sides as there are shares.

    Groups are dealt one after the other, those of many images first, each to the side where it brings the counts of images, of
    good ones and of each kind of defect closest to what they should be (least chi-square).

    Args:
        images: what is divided.
        shares: of each side, above 0; only their ratios count.
        seed: of the order of groups of equal size.
        by_group: False deals every image by itself, which makes a test of memory where groups are near-duplicates: for
            comparison with those who did so.

    Returns:
        for each side the indices into ``images``, ascending; together every image once.

    Raises:
        DataError: a side would be empty.
    """
    labels = images.groups if by_group else images.names
    _, group = np.unique(np.array(labels), return_inverse=True)
    shows = _shows(images)
    table = np.zeros((int(group.max()) + 1, shows.shape[1]))  # images of each group that show each kind
    np.add.at(table, group, shows)
    order = np.random.default_rng(seed).permutation(len(table))
    order = order[np.argsort(-table[order, 0], kind="stable")]
    expected = np.array(shares, np.float64)[:, None] / sum(shares) * table.sum(0)
    has = np.zeros_like(expected)
    side_of = np.zeros(len(table), np.int64)
    for index in order:
        after, now = (((has + add - expected) ** 2 / expected).sum(1) for add in (table[index], 0.0))
        side_of[index] = int((after - now).argmin())
        has[side_of[index]] += table[index]
    sides = [np.flatnonzero(side_of[group] == number) for number in range(len(shares))]
    if not all(len(side) for side in sides):
        raise DataError(
            f"{len(images)} images in {len(table)} groups cannot be divided into {len(shares)}",
            where=images.where,
            allowed="more images that show different parts",
        )
    return sides


def folds(images: MaskedSet, count: int, seed: int, *, by_group: bool = True) -> list[Indices]:
    """``count`` sides of equal share, for cross-validation; see `divide`."""
    return divide(images, [1.0] * count, seed, by_group=by_group)


def _shows(images: MaskedSet) -> NDArray[np.float64]:
    """(N, 1 + kinds): 1, then 1 for each kind of defect that the image shows, or for its being good."""
    found = [set(kind.split("+")) for kind in images.kinds]  # several kinds on one image are joined by +
    kinds = sorted(set().union(*found))
    return np.array([[1.0, *(float(kind in own) for kind in kinds)] for own in found])
