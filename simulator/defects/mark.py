"""What one defect does to the picture, and the fine grid it is drawn on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.defects.workpiece import Box, Floats, Workpiece
from simulator.light import glint

_LEAST_GLINT = 0.25  # a flank in the deepest shade still gets light from around

Points = NDArray[np.float64]


class Kind(StrEnum):
    """The kinds of defects, in the order of their COCO categories."""

    SCRATCH = "scratch"
    DENT = "dent"
    STAIN = "stain"
    BURR = "burr"


@dataclass(frozen=True)
class Mark:
    """One defect in a window of the image, before occluders, lens and sensor.

    Attributes:
        kind: what it is.
        box: the window.
        change: (h, w) float32, grey levels that it adds to the picture.
        footprint: (h, w) bool, pixels of which it takes half or more, from its geometry.
        reach_px: how far within the footprint a pixel that looks unchanged may lie from one that changes: the
            flat bottom of a dent, the line between the bright and the dark flank of a scratch.
    """

    kind: Kind
    box: Box
    change: Floats
    footprint: NDArray[np.bool_]
    reach_px: float


@dataclass(frozen=True)
class FineGrid:
    """``fine`` times ``fine`` sub-pixels for every pixel of a box. The centres of the pixels are at integers."""

    box: Box
    fine: int

    @staticmethod
    def around(work: Workpiece, points: Points, margin_px: float, fine: int) -> FineGrid | None:
        """The grid that holds all points (N, 2) with a margin; None if that lies outside the workpiece's window."""
        left, top = (math.floor(v) for v in points.min(axis=0) - margin_px)
        right, bottom = (math.ceil(v) + 1 for v in points.max(axis=0) + margin_px)
        box = work.clipped((left, top, right, bottom))
        return FineGrid(box, fine) if box else None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of sub-pixels."""
        left, top, right, bottom = self.box
        return (bottom - top) * self.fine, (right - left) * self.fine

    def axes(self) -> tuple[Floats, Floats]:
        """Place in the image, px: x of every column (1, w), y of every row (h, 1) of sub-pixels."""
        rows, columns = self.shape
        x = self.box[0] - 0.5 + (np.arange(columns, dtype=np.float32) + 0.5) / self.fine
        y = self.box[1] - 0.5 + (np.arange(rows, dtype=np.float32) + 0.5) / self.fine
        return x[None, :].astype(np.float32), y[:, None].astype(np.float32)

    def to_grid(self, xy_px: Points) -> Points:
        """Points (N, 2) of the image in sub-pixels of the grid, whose centres are at integers, too."""
        return np.asarray((xy_px - (self.box[0] - 0.5, self.box[1] - 0.5)) * self.fine - 0.5)

    def pooled(self, plane: NDArray[Any]) -> Floats:
        """Mean of a fine plane over each pixel, (h, w)."""
        rows, columns = self.shape
        blocks = plane.reshape(rows // self.fine, self.fine, columns // self.fine, self.fine)
        return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))

    def spread(self, plane: NDArray[Any]) -> NDArray[Any]:
        """A plane (h, w) of pixels on the fine grid: each sub-pixel has the value of its pixel."""
        return np.repeat(np.repeat(plane, self.fine, axis=0), self.fine, axis=1)


def relit(steepness: Floats, more: Floats, gain: Floats) -> Floats:
    """Factor of the light of metal that leaned by ``steepness`` towards the lamp and now leans by ``more``, too."""
    before = np.maximum(glint(steepness), _LEAST_GLINT)
    after = np.maximum(glint(np.clip(steepness + more, -1.4, 1.4)), _LEAST_GLINT)
    return np.asarray(gain * after / before, dtype=np.float32)


def on_metal(
    kind: Kind, work: Workpiece, grid: FineGrid, factor: Floats, inside: NDArray[np.bool_], reach_px: float
) -> Mark:
    """The mark of something that multiplies the metal's light by ``factor`` and lies ``inside``, both on the fine grid."""
    metal, solid = work.cut(work.metal, grid.box), work.cut(work.solid, grid.box)
    marked = np.clip(metal * grid.pooled(factor), 0.0, 255.0)
    return Mark(
        kind=kind,
        box=grid.box,
        change=np.asarray((marked - metal) * solid, dtype=np.float32),
        footprint=(grid.pooled(inside) >= 0.5) & (solid >= 0.5),
        reach_px=reach_px,
    )
