"""Whether the same defects are found: how two findings of one part differ, in IoU, in px of the boundary and in score.

The decoder draws a mask of cells, each several px of the sensor wide. Where it hesitates, rounding may turn a cell over: a
boundary may move by one cell, and masks may differ in two per cent of their cells. A defect of less than a hundred cells could
then not lose even two of them, so that so many are allowed in any case. A score moves no farther than a visibility may.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.defect_mask import cells, sampled
from pipeline.result import Defect, DefectMask
from pipeline.segment_thresholds import SegmentThresholds

LEAST_IOU = 0.98
FEW_CELLS = 2
BOUNDARY_CELLS = 1.0
SCORE_LIMIT = 0.05
_FAR = 1e6
_MOST_CELLS = 8192  # along a side, of two masks that overlap: of one recipe they can have no more


@dataclass(frozen=True, slots=True)
class MaskDifference:
    """Of two masks, on the cells of the first: shared over all, cells of one alone, and how far these lie from the other."""

    iou: float
    cells: int
    boundary_cells: float


@dataclass(slots=True)
class DefectDifferences:
    """How defects differ from those that were expected, part after part.

    Attributes:
        parts: that were compared.
        iou, boundary_cells, score: of every defect that both have.
        faults: a line for every part whose defects are not the same.
    """

    parts: int = 0
    iou: list[float] = field(default_factory=list)
    boundary_cells: list[float] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, expected: Sequence[Defect], found: Sequence[Defect], limits: SegmentThresholds) -> str:
        """Compare the defects of one part in one view. Returns the first fault; empty where they are the same."""
        self.parts += 1
        faults, left = [], list(found)
        for wanted in expected:
            near = [(mask_difference(wanted.mask, one.mask), one) for one in left if _overlap(wanted, one)]
            difference, twin = max(near, key=lambda pair: pair[0].iou, default=(None, None))
            if twin is None or difference is None or difference.iou == 0.0:
                faults += [] if _is_borderline(wanted, limits) else [f"no {_named(wanted)}"]
                continue
            left.remove(twin)
            self.iou.append(difference.iou)
            self.boundary_cells.append(difference.boundary_cells)
            self.score.append(abs(wanted.score - twin.score))
            faults += _faults(wanted, difference, self.score[-1])
        faults += [f"{_named(one)} that should not be there" for one in left if not _is_borderline(one, limits)]
        self.faults += faults[:1]
        return faults[0] if faults else ""


def mask_difference(one: DefectMask, two: DefectMask) -> MaskDifference:
    """Compare two masks on the sensor."""
    width, height = one.width / one.columns, one.height / one.rows
    left, right = min(one.x, two.x), max(one.x + one.width, two.x + two.width)
    top, bottom = min(one.y, two.y), max(one.y + one.height, two.y + two.height)
    first_x, last_x = round((left - one.x) / width), round((right - one.x) / width)
    first_y, last_y = round((top - one.y) / height), round((bottom - one.y) / height)
    if max(last_x - first_x, last_y - first_y) > _MOST_CELLS:
        return MaskDifference(0.0, one.columns * one.rows, _FAR)
    x = one.x + (np.arange(first_x, last_x, dtype=np.float64) + 0.5) * width
    y = one.y + (np.arange(first_y, last_y, dtype=np.float64) + 0.5) * height
    first, second = sampled(one, x, y), sampled(two, x, y)
    shared, either = int((first & second).sum()), int((first | second).sum())
    apart = max(_apart(first & ~second, second), _apart(second & ~first, first))
    return MaskDifference(shared / either if either else 1.0, either - shared, apart)


def _apart(some: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
    """How many cells the farthest of `some` lies from the nearest of `others`, along rows, columns or diagonals."""
    if not some.any():
        return 0.0
    if not others.any():
        return _FAR
    distance = cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_C, 3)
    return float(np.asarray(distance)[some].max())


def _faults(wanted: Defect, difference: MaskDifference, score: float) -> list[str]:
    found = []
    if difference.iou < LEAST_IOU and difference.cells > FEW_CELLS:
        found.append(f"{_named(wanted)} with an IoU of {difference.iou:.3f}, allowed {LEAST_IOU}")
    if difference.boundary_cells > BOUNDARY_CELLS:
        moved_px = difference.boundary_cells * wanted.mask.width / wanted.mask.columns
        what = f"its boundary moved by {difference.boundary_cells:.0f} cells of the mask ({moved_px:.1f} px)"
        found.append(f"{_named(wanted)}, {what}, allowed {BOUNDARY_CELLS:.0f}")
    if score > SCORE_LIMIT:
        found.append(f"{_named(wanted)} with a score that moved by {score:.3f}, allowed {SCORE_LIMIT}")
    return found


def _is_borderline(defect: Defect, limits: SegmentThresholds) -> bool:
    """Whether as little as is allowed makes it a defect or none."""
    few_px = FEW_CELLS * defect.area_px / max(1, int(cells(defect.mask).sum()))
    return defect.score < limits.score_above + SCORE_LIMIT or defect.area_px <= limits.min_area_px + few_px


def _overlap(one: Defect, two: Defect) -> bool:
    (x, y, width, height), (other_x, other_y, other_width, other_height) = one.box, two.box
    return x < other_x + other_width and other_x < x + width and y < other_y + other_height and other_y < y + height


def _named(defect: Defect) -> str:
    x, y, width, height = defect.box
    return f"defect of {defect.area_px:.0f} px2 at ({x + width / 2:.0f}, {y + height / 2:.0f})"
