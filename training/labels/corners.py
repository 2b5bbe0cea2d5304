"""Between the positions of files, from the corner of the image, and ours, from the centre of its first pixel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from training.data import HIDDEN, MISSING, VISIBLE, Part

CORNER = 0.5
LEAST_BOX_PX = 0.001  # CVAT writes hundredths
Box = tuple[float, float, float, float]


def part_from_corners(
    image: Path,
    wh: tuple[int, int],
    names: Sequence[str],
    table: NDArray[np.float64],
    box: Box,
    annotation: int,
    where: str,
) -> Part:
    """One labelled part.

    Args:
        image: its file.
        wh: the image's size in px.
        names: of the K keypoints.
        table: (K, 3) x, y from the corner of the image, and v: 2 visible, 1 hidden, 0 missing. 0, 0, 0 has no position.
        box: x, y, width, height in px from the corner.
        annotation: number of the part in its file.
        where: of the part, for errors.

    Raises:
        DataError: a number that is not finite, another v, a visible keypoint outside the image, no position at all, an
            empty box or one outside the image.
    """
    if not np.isfinite(table).all() or not np.isfinite(box).all():
        raise DataError("a number is not finite", where=where, allowed="finite numbers")
    if not np.isin(table[:, 2], (MISSING, HIDDEN, VISIBLE)).all():
        found = ", ".join(f"{v:g}" for v in np.unique(table[:, 2]))
        raise DataError(f"v is {found}", where=where, allowed="0 missing, 1 hidden, 2 visible")
    state = table[:, 2].astype(np.int8)
    outside = (table[:, :2] < 0).any(1) | (table[:, :2] > wh).any(1)
    if (outside & (state == VISIBLE)).any():
        index = int(np.flatnonzero(outside & (state == VISIBLE))[0])
        raise DataError(
            f"keypoint {names[index]} is visible at {table[index, :2].tolist()}, outside the image",
            where=where,
            allowed=f"0..{wh[0]}, 0..{wh[1]}",
        )
    none = (table == 0).all(1)
    if none.all():
        raise DataError("no keypoint has a position", where=where, allowed="at least one; or leave the part out")
    _check_box(box, wh, where)
    xy = table[:, :2] - CORNER
    xy[none] = np.nan
    return Part(image, wh, xy, state, box, annotation)


def corners_of(part: Part, decimals: int) -> NDArray[np.float64]:
    """x, y, v (K, 3) of a part as files have them; `part_from_corners` takes them back. No position is 0, 0.

    Raises:
        DataError: a keypoint that is not missing has no position, which no format can say.
    """
    none = np.asarray(~np.isfinite(part.xy_sensor_px).all(1))
    if (none & (part.state != MISSING)).any():
        raise DataError("a keypoint that is not missing has no position", where=f"{part.image}: {part.annotation}")
    xy = np.where(none[:, None], 0.0, np.round(part.xy_sensor_px + CORNER, decimals)) + 0.0  # no -0
    return np.column_stack((xy, part.state.astype(np.float64)))


def box_around(table: NDArray[np.float64], wh: tuple[int, int]) -> Box:
    """A box for a part that has none: around the keypoints (K, 3) with a tenth of their extent, kept in the image."""
    known = table[(table != 0).any(1), :2]
    low, high = known.min(0), known.max(0)
    margin = max(0.1 * float((high - low).max()), 1.0)
    low, high = np.clip(low - margin, 0, wh), np.clip(high + margin, 0, wh)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def _check_box(box: Box, wh: tuple[int, int], where: str) -> None:
    """Refuse what is no box: one that is narrower than files can say would be empty when it is written again."""
    x, y, width, height = box
    if min(width, height) < LEAST_BOX_PX:
        raise DataError(f"bbox {list(box)} is empty", where=where, allowed="width and height above 0")
    inside = min(x + width, wh[0]) - max(x, 0.0), min(y + height, wh[1]) - max(y, 0.0)
    if min(inside) < LEAST_BOX_PX:
        raise DataError(f"bbox {list(box)} is outside the image", where=where, allowed=f"0..{wh[0]}, 0..{wh[1]}")
