"""From a mask and a heatmap to defects: what the daemon, calibration and evaluation all call."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import geometry, run_length
from pipeline.geometry import Matrix
from pipeline.result import Defect, DefectMask
from pipeline.segment_thresholds import SegmentThresholds

# Of one part and view, those of the highest score: a network that fails must not fill the journal.
MOST_DEFECTS = 100
MOST_RUNS = 20_000  # of all their masks; that of one defect may have more
_NEIGHBOURS = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class ToldDefects:
    """The defects of one part in one view, and how many more there were than could be told: nobody knows what these are."""

    defects: tuple[Defect, ...] = ()
    untold: int = 0


def find_defects(
    mask_logits: NDArray[np.float32],
    heatmap: NDArray[np.float32],
    sensor_from_mask: Matrix,
    limits: SegmentThresholds,
    *,
    view: str,
    mm_per_px: float | None,
    counted: NDArray[np.bool_] | None = None,
) -> tuple[Defect, ...]:
    """The defects of one part in one view, highest score first, without the zones that they reach into.

    A defect is a connected piece of the mask, over edges or corners. Its score is its highest probability in the mask times the
    highest value of the heatmap where it lies or one cell of the heatmap beside it.

    Args:
        mask_logits: (Hm, Wm), finite.
        heatmap: (Hh, Wh), finite, 0 to 1; shows the same area.
        sensor_from_mask: px to px; it scales and moves, and turns nothing.
        limits: what counts.
        view: name of the view.
        mm_per_px: its scale, None where areas in mm² are not known.
        counted: (Hm, Wm), False where nothing counts, as outside of the part; None counts everything.

    Returns:
        at most MOST_DEFECTS, and as many as MOST_RUNS allows.
    """
    return tell_defects(
        mask_logits, heatmap, sensor_from_mask, limits, view=view, mm_per_px=mm_per_px, counted=counted
    ).defects


def tell_defects(
    mask_logits: NDArray[np.float32],
    heatmap: NDArray[np.float32],
    sensor_from_mask: Matrix,
    limits: SegmentThresholds,
    *,
    view: str,
    mm_per_px: float | None,
    counted: NDArray[np.bool_] | None = None,
) -> ToldDefects:
    """As find_defects, and how many it leaves out."""
    level = math.log(limits.mask_above / (1.0 - limits.mask_above))
    is_on = mask_logits >= level
    if counted is not None:
        is_on &= counted
    if not is_on.any():  # most parts
        return ToldDefects()
    labels, areas_px, scores, corners = _pieces(mask_logits, heatmap, is_on, sensor_from_mask)
    wanted = (areas_px >= limits.min_area_px) & (scores >= limits.score_above)
    wanted[0] = False  # what is off
    chosen = np.flatnonzero(wanted)
    found: list[Defect] = []
    runs = 0
    for label in chosen[np.argsort(-scores[chosen], kind="stable")][:MOST_DEFECTS].tolist():
        x, y, width, height = corners[label].tolist()
        grid = labels[y : y + height, x : x + width] == label
        mask = sensor_mask(grid, x, y, sensor_from_mask)
        runs += len(mask.counts)
        if found and runs > MOST_RUNS:
            break
        area_px = float(areas_px[label])
        found.append(
            Defect(
                view=view,
                area_px=area_px,
                area_mm2=None if mm_per_px is None else area_px * mm_per_px**2,
                box=(mask.x, mask.y, mask.width, mask.height),
                score=float(scores[label]),
                peak=_peak(grid, x, y, mask_logits.shape, heatmap, sensor_from_mask),
                mask=mask,
            )
        )
    return ToldDefects(tuple(found), len(chosen) - len(found))


def sensor_mask(grid: NDArray[np.bool_], x: int, y: int, sensor_from_mask: Matrix) -> DefectMask:
    """A piece of a mask, bool (rows, columns), whose upper left cell is the mask's (x, y), as it is reported."""
    rows, columns = grid.shape
    corners = geometry.apply(sensor_from_mask, [[x - 0.5, y - 0.5], [x + columns - 0.5, y + rows - 0.5]]) + 0.5
    (left, top), (right, bottom) = corners.tolist()
    return DefectMask(left, top, right - left, bottom - top, columns, rows, run_length.encode(grid))


def _pieces(
    mask_logits: NDArray[np.float32], heatmap: NDArray[np.float32], is_on: NDArray[np.bool_], sensor_from_mask: Matrix
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    """Labels (Hm, Wm), 0 is off; by label: areas in sensor px², scores, boxes in cells (x, y, width, height)."""
    count, found, figures, _ = cv2.connectedComponentsWithStats(is_on.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    labels, stats = np.asarray(found, np.int32), np.asarray(figures, np.int32)
    rows, columns = np.nonzero(is_on)
    owners = labels[rows, columns]
    logits, heat = np.full(count, -np.inf), np.zeros(count)
    np.maximum.at(logits, owners, mask_logits[rows, columns])
    np.maximum.at(heat, owners, _highest_near(heatmap, rows, columns, is_on.shape))
    cell_px = float(sensor_from_mask[0, 0] * sensor_from_mask[1, 1])
    scores = (0.5 + 0.5 * np.tanh(logits / 2.0)) * heat
    return labels, stats[:, cv2.CC_STAT_AREA].astype(np.float64) * cell_px, scores, stats[:, :4]


def _highest_near(
    heatmap: NDArray[np.float32], rows: NDArray[np.intp], columns: NDArray[np.intp], mask_hw: tuple[int, ...]
) -> NDArray[np.float32]:
    """For each cell of a mask the highest value of the heatmap in the cells that it overlaps or that touch these."""
    grown = np.asarray(cv2.dilate(heatmap, _NEIGHBOURS), np.float32)
    spans = [_overlapped(index, *sizes) for index, sizes in zip((rows, columns), _sizes(heatmap, mask_hw), strict=True)]
    (top, bottom), (left, right) = spans
    highest = grown[top, left]
    for down in range(int((bottom - top).max(initial=0)) + 1):
        for along in range(int((right - left).max(initial=0)) + 1):
            highest = np.maximum(highest, grown[np.minimum(top + down, bottom), np.minimum(left + along, right)])
    return highest


def _peak(
    grid: NDArray[np.bool_],
    x: int,
    y: int,
    mask_hw: tuple[int, ...],
    heatmap: NDArray[np.float32],
    sensor_from_mask: Matrix,
) -> tuple[float, float, float]:
    """Where the heatmap is highest near a piece of the mask: x, y in sensor px, and its value."""
    (heat_rows, mask_rows), (heat_columns, mask_columns) = _sizes(heatmap, mask_hw)
    rows, columns = np.nonzero(grid)
    near = np.zeros(heatmap.shape, np.uint8)
    (top, bottom), (left, right) = (
        _overlapped(rows + y, heat_rows, mask_rows),
        _overlapped(columns + x, heat_columns, mask_columns),
    )
    for down in range(int((bottom - top).max()) + 1):
        for along in range(int((right - left).max()) + 1):
            near[np.minimum(top + down, bottom), np.minimum(left + along, right)] = 1
    is_near = np.asarray(cv2.dilate(near, _NEIGHBOURS), np.bool_)
    row, column = divmod(int(np.argmax(np.where(is_near, heatmap, -np.inf))), heatmap.shape[1])
    sensor_from_heat = sensor_from_mask @ geometry.resize(mask_columns / heat_columns, mask_rows / heat_rows)
    at_x, at_y = geometry.apply(sensor_from_heat, [column, row]).tolist()
    return at_x, at_y, float(heatmap[row, column])


def _sizes(heatmap: NDArray[np.float32], mask_hw: tuple[int, ...]) -> list[tuple[int, int]]:
    """Rows of the heatmap and of the mask, then their columns."""
    return list(zip(heatmap.shape, mask_hw, strict=True))


def _overlapped(cells: NDArray[np.intp], heat: int, mask: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The first and last of `heat` cells that overlap a cell of `mask` cells over the same length. In whole numbers: exact."""
    return cells * heat // mask, ((cells + 1) * heat - 1) // mask
