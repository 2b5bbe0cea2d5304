"""Masks from what COCO keeps of them: polygons, and lengths of runs, column by column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.masks.sample import Mask

_FEWEST = 6  # numbers of a polygon: three corners


def polygon_mask(polygons: Sequence[Sequence[float]], hw: tuple[int, int]) -> Mask:
    """The pixels whose centres lie in any of the polygons, by the even-odd rule.

    COCO's own tool draws polygons on a grid five times as fine and takes a few pixels of the edge more; the difference is below
    half a pixel along the outline.

    Args:
        polygons: of each x0, y0, x1, y1, … in px from the corner of the image (the centre of the first pixel is 0.5, 0.5).
        hw: height and width of the mask.

    Raises:
        ValueError: a polygon has an odd count of numbers, fewer than three corners or one that is not finite.
    """
    mask = np.zeros(hw, np.bool_)
    for numbers in polygons:
        corners = np.asarray(numbers, np.float64)
        if len(corners) < _FEWEST or len(corners) % 2:
            raise ValueError(f"a polygon of {len(corners)} numbers; x, y of at least three corners are wanted")
        if not np.isfinite(corners).all():
            raise ValueError("a polygon with a corner that is not finite")
        mask |= _filled(corners.reshape(-1, 2), hw)
    return mask


def _filled(corners: NDArray[np.float64], hw: tuple[int, int]) -> Mask:
    height, width = hw
    parity = np.zeros(
        (height, width + 1), np.bool_
    )  # whether an odd number of edges begins to lie on the left at a pixel
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        low, high = (min(max(int(np.ceil(y - 0.5)), 0), height) for y in sorted((y0, y1)))
        rows = np.arange(low, high)  # those whose centres it crosses, its upper end counted, its lower one not
        if len(rows):
            crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            parity[rows, np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.int64)] ^= True
    return np.asarray(np.logical_xor.accumulate(parity, axis=1)[:, :width], np.bool_)


def run_mask(counts: Sequence[int], hw: tuple[int, int]) -> Mask:
    """The mask of lengths of runs: off, on, off …, down each column, columns from the left.

    Raises:
        ValueError: the runs are not as long as the mask together, or one is negative.
    """
    lengths = np.asarray(counts, np.int64)
    if (lengths < 0).any() or int(lengths.sum()) != hw[0] * hw[1]:
        raise ValueError(f"runs of {int(lengths.sum())} pixels in an image of {hw[1]} x {hw[0]}")
    is_on = np.arange(len(lengths)) % 2 == 1
    return np.asarray(np.repeat(is_on, lengths).reshape(hw[1], hw[0]).T, np.bool_)


def run_lengths(text: str) -> list[int]:
    """The lengths of runs in COCO's compressed text.

    Each number is written in groups of five bits, the lowest first, as characters from "0" on; the sixth bit says that more
    follow, the fifth bit of the last group is the sign. From the fourth number on, the difference from the one two places
    before is written (rleFrString of COCO's maskApi.c).

    Raises:
        ValueError: a character that none of them is, or the text ends within a number.
    """
    counts: list[int] = []
    value, shift = 0, 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64:
            raise ValueError(f"compressed runs with the character {character!r}")
        value |= (group & 0x1F) << shift
        shift += 5
        if group & 0x20:
            continue
        if group & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, shift = 0, 0
    if shift:
        raise ValueError("compressed runs that end within a number")
    return counts
