"""From a mask and a heatmap to defects."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.geometry import identity, resize
from pipeline.result import Defect
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.stages.defects import MOST_DEFECTS, MOST_RUNS, ToldDefects, find_defects, tell_defects

EVERYTHING = SegmentThresholds(score_above=0.0)


def find(
    mask: NDArray[np.float32], heat: NDArray[np.float32] | None = None, limits: SegmentThresholds = EVERYTHING
) -> tuple[Defect, ...]:
    heat = np.ones((mask.shape[0] // 4, mask.shape[1] // 4), np.float32) if heat is None else heat
    return find_defects(mask, heat, identity(), limits, view="top", mm_per_px=None)


def tell(mask: NDArray[np.float32]) -> ToldDefects:
    heat = np.ones((mask.shape[0] // 4, mask.shape[1] // 4), np.float32)
    return tell_defects(mask, heat, identity(), EVERYTHING, view="top", mm_per_px=None)


def blank(size: int = 32) -> NDArray[np.float32]:
    return np.full((size, size), -9.0, np.float32)


def test_pixels_that_touch_at_a_corner_are_one_defect() -> None:
    mask = blank()
    mask[4, 4] = mask[5, 5] = mask[6, 4] = 2.0
    mask[20, 20] = 2.0
    assert sorted(defect.area_px for defect in find(mask)) == [1.0, 3.0]


def test_the_probability_of_the_limit_itself_is_a_defect() -> None:
    mask = blank()
    mask[3, 3] = math.log(0.25 / 0.75) + 1e-6
    assert len(find(mask, limits=SegmentThresholds(mask_above=0.25, score_above=0.0))) == 1
    assert not find(mask, limits=SegmentThresholds(mask_above=0.26, score_above=0.0))


def test_a_score_is_the_best_of_the_mask_times_the_best_of_the_heatmap_nearby() -> None:
    mask, heat = blank(), np.zeros((8, 8), np.float32)
    mask[12:14, 12:14] = [[0.5, 1.0], [3.0, 0.5]]  # cell (3, 3) of the heatmap
    heat[3, 3], heat[4, 4], heat[3, 5] = 0.5, 0.75, 1.0  # the last one lies two cells away
    (defect,) = find(mask, heat)
    assert defect.score == pytest.approx(0.75 / (1 + math.exp(-3.0)))
    assert defect.peak == (17.5, 17.5, 0.75)


def test_without_a_word_of_the_heatmap_there_is_no_score() -> None:
    mask = blank()
    mask[4:10, 4:10] = 5.0
    assert find(mask, np.zeros((8, 8), np.float32))[0].score == 0.0
    assert not find(mask, np.zeros((8, 8), np.float32), SegmentThresholds(score_above=0.01))


def test_small_ones_do_not_count() -> None:
    mask = blank()
    mask[4:6, 4:6] = 5.0
    limits = {area: SegmentThresholds(score_above=0.0, min_area_px=area) for area in (16.0, 16.5)}
    found = {
        area: find_defects(mask, np.ones((8, 8), np.float32), resize(2, 2), one, view="top", mm_per_px=0.5)
        for area, one in limits.items()
    }
    assert [(defect.area_px, defect.area_mm2) for defect in found[16.0]] == [(16.0, 4.0)]
    assert not found[16.5]


def test_what_is_not_counted_is_cut_off() -> None:
    mask = blank()
    mask[4:8, 4:20] = 5.0
    counted = np.zeros(mask.shape, np.bool_)
    counted[:, :10] = True
    (defect,) = find_defects(
        mask, np.ones((8, 8), np.float32), identity(), EVERYTHING, view="top", mm_per_px=None, counted=counted
    )
    assert defect.box == (4.0, 4.0, 6.0, 4.0)
    assert defect.area_px == 24.0


def test_of_very_many_those_of_the_highest_score_are_told() -> None:
    mask = blank(64)
    mask[::2, ::2] = np.arange(1024).reshape(32, 32) / 1000
    found = find(mask)
    assert len(found) == MOST_DEFECTS
    assert found[-1].score == pytest.approx(1 / (1 + math.exp(-(1024 - MOST_DEFECTS) / 1000)))
    assert tell(mask) == ToldDefects(found, 1024 - MOST_DEFECTS)


def comb(mask: NDArray[np.float32], top: int, rows: int) -> None:
    """One defect with a run for each of its teeth in each row."""
    mask[top] = mask[top : top + rows, ::2] = 3.0 - top / 1000


@pytest.mark.parametrize(("rows", "told"), [(36, 2), (76, 1), (100, 1)])
def test_what_would_take_too_many_runs_is_left_out_but_the_first(rows: int, told: int) -> None:
    mask = blank(256)
    comb(mask, 0, rows)
    comb(mask, 120, rows)
    found = find(mask)
    assert len(found) == told
    assert tell(mask) == ToldDefects(found, 2 - told)
    assert found[0].area_px == 128 * (rows - 1) + 256
    assert (rows == 100) is (len(found[0].mask.counts) > MOST_RUNS)


def test_a_heatmap_finer_than_the_mask_is_looked_through_whole() -> None:
    mask, heat = blank(8), np.zeros((64, 64), np.float32)
    mask[2, 2] = 9.0
    heat[20, 19] = 1.0  # in the middle of the cell's 8 x 8
    assert find(mask, heat)[0].score == pytest.approx(1.0, abs=1e-3)
