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

    Groups are dealt one after the other, those of many images first, each to the side that is then farthest below its share
    of the group's kinds.

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
    kinds, kind = np.unique(np.array(images.kinds), return_inverse=True)
    labels = images.groups if by_group else images.names
    _, group = np.unique(np.array(labels), return_inverse=True)
    table = np.zeros((int(group.max()) + 1, len(kinds)), np.int64)  # images of each group and kind
    np.add.at(table, (group, kind), 1)
    order = np.random.default_rng(seed).permutation(len(table))
    order = order[np.argsort(-table[order].sum(1), kind="stable")]
    wanted = np.array(shares, np.float64) / sum(shares)
    total = np.maximum(table.sum(0), 1)
    has = np.zeros((len(wanted), len(kinds)))
    side_of = np.zeros(len(table), np.int64)
    for index in order:
        # how far each side would be from its share of every kind, were it given this group, against where it is now
        after, now = ((((has + add) / total / wanted[:, None] - 1.0) ** 2) for add in (table[index], 0))
        gain = (wanted[:, None] * (after - now)).sum(1)
        side_of[index] = int(gain.argmin())
        has[side_of[index]] += table[index]
    sides = [np.flatnonzero(side_of[group] == number) for number in range(len(wanted))]
    if not all(len(side) for side in sides):
        raise DataError(
            f"{len(images)} images in {len(table)} groups cannot be divided into {len(wanted)}",
            where=images.where,
            allowed="more images that show different parts",
        )
    return sides


def folds(images: MaskedSet, count: int, seed: int, *, by_group: bool = True) -> list[Indices]:
    """``count`` sides of equal share, for cross-validation; see `divide`."""
    return divide(images, [1.0] * count, seed, by_group=by_group)
