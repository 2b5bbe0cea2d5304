"""When the defects of two backends are the same."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.defect_parity import DefectDifferences, mask_difference
from pipeline.geometry import resize
from pipeline.result import Defect
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.stages.defects import sensor_mask

LIMITS = SegmentThresholds(score_above=0.5, min_area_px=64.0)
CELL_PX = 4.0


def defect(grid: NDArray[np.bool_], x: int = 10, y: int = 20, score: float = 0.9) -> Defect:
    """A piece of a mask whose upper left cell is (x, y), 4 px a cell."""
    mask = sensor_mask(grid, x, y, resize(CELL_PX, CELL_PX))
    box = (mask.x, mask.y, mask.width, mask.height)
    return Defect("top", float(grid.sum()) * CELL_PX**2, box, score, (0.0, 0.0, 1.0), mask)


def block(rows: int = 20, columns: int = 20) -> NDArray[np.bool_]:
    return np.ones((rows, columns), np.bool_)


def without(grid: NDArray[np.bool_], *cells: tuple[int, int]) -> NDArray[np.bool_]:
    changed = grid.copy()
    for row, column in cells:
        changed[row, column] = False
    return changed


def fault(expected: list[Defect], found: list[Defect], limits: SegmentThresholds = LIMITS) -> str:
    differences = DefectDifferences()
    told = differences.add(expected, found, limits)
    assert (differences.parts, differences.faults) == (1, [told] if told else [])
    return told


def test_masks_are_compared_where_they_lie_on_the_sensor() -> None:
    one = defect(block()).mask
    assert mask_difference(one, one).iou == 1.0
    moved = mask_difference(one, defect(block(), x=12).mask)
    assert moved.iou == pytest.approx(18 / 22)
    assert (moved.cells, moved.boundary_cells) == (80, 2.0)
    other_cut = defect(np.pad(block(), ((0, 0), (0, 3)))).mask  # the same cells in a larger box
    assert mask_difference(one, other_cut).iou == mask_difference(other_cut, one).iou == 1.0
    assert mask_difference(one, defect(block(), x=300).mask).iou == 0.0


def test_the_same_defects_in_another_order_are_the_same() -> None:
    first, second = defect(block()), defect(block(9, 9), x=60)
    assert fault([first, second], [second, first]) == ""


def test_a_few_cells_may_turn_over_at_the_boundary() -> None:
    corners = [(0, 0), (0, 19), (19, 0), (19, 19), (10, 0), (0, 10), (19, 10), (10, 19)]
    whole = defect(block())
    assert fault([whole], [defect(without(block(), *corners))]) == ""  # 8 of 400
    nine = defect(without(block(), *corners, (5, 0)))
    assert fault([whole], [nine]) == "defect of 6400 px2 at (80, 120) with an IoU of 0.978, allowed 0.98"


def test_of_a_small_defect_two_cells_may_always() -> None:
    assert fault([defect(block(5, 5))], [defect(without(block(5, 5), (0, 0), (4, 4)))]) == ""
    assert "IoU of 0.880" in fault([defect(block(5, 5))], [defect(without(block(5, 5), (0, 0), (4, 4), (0, 4)))])


def test_a_boundary_may_move_by_one_cell_not_by_two() -> None:
    grid = np.pad(block(), ((0, 0), (0, 2)))
    for row in (9, 10):
        grid[row, 20] = True
    assert fault([defect(block())], [defect(grid)]) == ""
    grid[9, 21] = True
    assert "its boundary moved by 2 cells of the mask (8.0 px), allowed 1" in fault([defect(block())], [defect(grid)])


def test_a_score_may_move_by_as_much_as_a_visibility() -> None:
    assert fault([defect(block())], [defect(block(), score=0.851)]) == ""
    assert "a score that moved by 0.060, allowed 0.05" in fault([defect(block())], [defect(block(), score=0.84)])


def test_a_defect_that_only_one_finds_is_told_unless_it_is_hardly_one() -> None:
    clear, faint, small = defect(block()), defect(block(), score=0.549), defect(block(2, 3))  # 6 cells, 4 are the least
    assert fault([clear], []) == "no defect of 6400 px2 at (80, 120)"
    assert fault([], [clear]) == "defect of 6400 px2 at (80, 120) that should not be there"
    for borderline in (faint, small):
        assert fault([borderline], []) == fault([], [borderline]) == ""
    assert fault([defect(block(3, 3))], []) != ""


def test_two_that_were_one_are_told() -> None:
    halves = [defect(block(20, 9)), defect(block(20, 10), x=20)]
    assert "IoU of 0.500" in fault([defect(block())], halves)
