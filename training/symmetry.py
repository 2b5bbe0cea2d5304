"""Mirroring labelled parts: left and right change over in the image, and so do the keypoints that are named for a side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline import geometry
from pipeline.errors import DataError


def flip_order(keypoints: Sequence[str], pairs: Sequence[tuple[str, str]]) -> NDArray[np.int64]:
    """Which keypoint takes each one's place in a mirrored image.

    Args:
        keypoints: the K names.
        pairs: names that change over; a keypoint that is in no pair lies on the axis and keeps its place.

    Returns:
        (K,) permutation that is its own inverse: row k of the mirrored part is row ``order[k]`` of the part.

    Raises:
        DataError: a pair names something else than a keypoint, or a keypoint twice.
    """
    place = {name: index for index, name in enumerate(keypoints)}
    order = np.arange(len(keypoints), dtype=np.int64)
    seen: set[str] = set()
    for pair in pairs:
        where = f"symmetric pair {pair[0]!r}, {pair[1]!r}"
        for name in pair:
            if name not in place:
                raise DataError(f"{name!r} is no keypoint", where=where, allowed=", ".join(keypoints))
            if name in seen:
                raise DataError(f"{name!r} is named twice", where=where, allowed="every keypoint in one pair at most")
            seen.add(name)
        first, second = place[pair[0]], place[pair[1]]
        order[first], order[second] = second, first
    return order


def pairs_of(keypoints: Sequence[str], order: Sequence[int]) -> list[tuple[str, str]]:
    """The pairs of names that `flip_order` makes this order from.

    Raises:
        DataError: ``order`` is no permutation of the keypoints that undoes itself.
    """
    count = len(keypoints)
    if sorted(order) != list(range(count)) or any(order[order[k]] != k for k in range(count)):
        raise DataError(f"flip order {list(order)}", allowed=f"0 to {count - 1}, each once, changing over in pairs")
    return [(keypoints[k], keypoints[other]) for k, other in enumerate(order) if k < other]


def flipped(
    xy: NDArray[np.floating], state: NDArray[np.int8], order: NDArray[np.int64], width: int
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """The labels of the mirrored image, ``image[:, ::-1]``.

    Done twice it is the identity: exactly for names and states, and for positions that are multiples of 2^-32 px;
    for others to the last bit that a float64 has at ``width``.

    Args:
        xy: (..., K, 2) px, pixel centres at integers; NaN stays NaN.
        state: (..., K).
        order: (K,), of `flip_order`.
        width: of the image in px.

    Returns:
        positions and states, of the same shapes.
    """
    moved = geometry.apply(geometry.flip_x(width), xy)
    return moved[..., order, :], state[..., order]
