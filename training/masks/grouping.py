"""Which images show the same part: told by numbers in their names, and by looking at them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Region
from training.data import VISIBLE, Dataset, Part
from training.masks.sample import MaskedSet
from training.near_duplicates import find

_NUMBER = re.compile(r"(\d+)\D*$")
Groups = NDArray[np.int64]


def by_number(names: Sequence[str], apart: int) -> Groups:
    """Images whose names end in numbers of which each is at most ``apart`` after the one before it.

    For names that count frames or time, so that pictures of one part follow each other closely and those of the next come
    later. Folders and suffixes do not count; an image without a number is a group of its own. Do not use it where numbers
    are given without gaps: everything would be one group.

    Returns:
        (N,) a number for every name.
    """
    found = [_NUMBER.search(Path(name).stem) for name in names]
    numbered = sorted((int(match[1]), index) for index, match in enumerate(found) if match)
    groups = np.arange(len(names), dtype=np.int64)
    for (before, first), (after, second) in pairwise(numbered):
        if after - before <= apart:
            groups[second] = groups[first]
    return groups


def by_picture(images: MaskedSet, progress: Callable[[int, int], None] | None = None) -> Groups:
    """Images that look alike and, unless they are the same picture, have their defects in the same place.

    As `training.near_duplicates.find` does for parts with keypoints: here the corners of the mask's box stand for them.

    Raises:
        DataError: an image or a mask cannot be read.
    """
    parts = [_part(images, index) for index in range(len(images))]
    found = find(Dataset(("upper_left", "lower_right"), tuple(parts)), progress)
    group_of = dict(zip(dict.fromkeys(part.image for part in parts), found.groups.tolist(), strict=True))
    return np.array([group_of[part.image] for part in parts], np.int64)


def united(*groupings: Groups) -> Groups:
    """What belongs together by any of them belongs together; numbered in the order of the first members."""
    group = np.arange(len(groupings[0]), dtype=np.int64)
    is_changed = True
    while is_changed:
        before = group.copy()
        for grouping in groupings:
            _, where = np.unique(grouping, return_inverse=True)
            lowest = np.full(int(where.max()) + 1, len(group), np.int64)
            np.minimum.at(lowest, where, group)
            group = lowest[where]
        is_changed = bool((group != before).any())
    return group


def regrouped(images: MaskedSet, groups: Groups) -> MaskedSet:
    """The set with these groups, each called by the name of its first image."""
    first: dict[int, str] = {}
    for group, name in zip(groups.tolist(), images.names, strict=True):
        first.setdefault(group, name)
    return MaskedSet(
        [replace(image, group=first[group]) for image, group in zip(images.images, groups.tolist(), strict=True)],
        images.where,
    )


def same_parts(images: MaskedSet, *, apart: int = 0, progress: Callable[[int, int], None] | None = None) -> MaskedSet:
    """The set with the groups that it came with, what looks alike, and, for ``apart`` above 0, what `by_number` finds."""
    _, given = np.unique(np.array(images.groups), return_inverse=True)
    groupings = [given.astype(np.int64), by_picture(images, progress)]
    if apart:
        groupings.append(by_number(images.names, apart))
    return regrouped(images, united(*groupings))


def _part(images: MaskedSet, index: int) -> Part:
    """A masked image as a part with two keypoints: the corners of its mask's box; a good part has none."""
    sample, one = images.load(index), images.images[index]
    height, width = sample.mask.shape
    rows, columns = np.flatnonzero(sample.mask.any(1)), np.flatnonzero(sample.mask.any(0))
    xy = np.full((2, 2), np.nan)
    if len(rows):
        xy = np.array([[columns[0], rows[0]], [columns[-1], rows[-1]]], np.float64)
    region = one.region or Region(0.0, 0.0, float(width), float(height))
    return Part(one.file, (width, height), xy, np.full(2, VISIBLE, np.int8), region, index)
