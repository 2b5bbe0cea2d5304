"""A region that is looked at in tiles: what would be too small in one image of all of it is large enough in theirs."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Region
from pipeline.stages.crop import widened

NOTHING = -20.0  # a logit where nobody looked
Floats = NDArray[np.float32]


def tiles_of(region: Region, image_wh: tuple[int, int], count: tuple[int, int]) -> dict[tuple[int, int], Region]:
    """By column and row, areas of whole px without gaps between them, each with the shape of an image of this size.

    Together they have the region's centre and hold all of it. Those are left out which nothing of it lies in.
    """
    columns, rows = count
    _, _, w, h = widened(Region(0.0, 0.0, region.w / columns, region.h / rows), image_wh)
    left = round(region.x + region.w / 2 - columns * w / 2)
    top = round(region.y + region.h / 2 - rows * h / 2)
    every = {
        (column, row): Region(left + column * w, top + row * h, w, h)
        for row in range(rows)
        for column in range(columns)
    }
    return {
        place: area
        for place, area in every.items()
        if area.x < region.x + region.w
        and region.x < area.x + w
        and area.y < region.y + region.h
        and region.y < area.y + h
    }


def stitch(
    tiles: dict[tuple[int, int], Region],
    count: tuple[int, int],
    look: Callable[[Region], tuple[Floats, Floats]],
    mask: Floats,
    heatmap: Floats,
) -> Region:
    """Look at every tile and put what is seen side by side.

    Args:
        tiles: of `tiles_of`.
        count: columns and rows.
        look: gives logits (Hm, Wm) and a heatmap (Hh, Wh) of an area.
        mask: (rows * Hm, columns * Wm), is written; `NOTHING` where nobody looked.
        heatmap: (rows * Hh, columns * Wh), is written; 0 where nobody looked.

    Returns:
        The area of the sensor that both show.
    """
    columns, rows = count
    if len(tiles) < columns * rows:
        mask.fill(NOTHING)
        heatmap.fill(0.0)
    for (column, row), area in tiles.items():
        for whole, part in zip((mask, heatmap), look(area), strict=True):
            high, wide = part.shape
            whole[row * high : (row + 1) * high, column * wide : (column + 1) * wide] = part
    (column, row), area = next(iter(tiles.items()))
    return Region(area.x - column * area.w, area.y - row * area.h, columns * area.w, rows * area.h)
