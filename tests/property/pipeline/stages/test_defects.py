"""Defects have the place and the area that their pixels have on the sensor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from pipeline import geometry, run_length
from pipeline.geometry import Region
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.stages.crop import sensor_from_map
from pipeline.stages.defects import MOST_DEFECTS, find_defects

EVERYTHING = SegmentThresholds(score_above=0.0)
GRIDS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24)))
AREAS = st.builds(Region, st.integers(-50, 50), st.integers(-50, 50), st.integers(8, 900), st.integers(8, 900))


def logits(grid: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(grid, 3.0, -3.0).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(grid=GRIDS, area=AREAS, heat_hw=st.tuples(st.integers(1, 40), st.integers(1, 40)), seed=st.integers(0, 9))
def test_the_pieces_are_the_mask(grid: NDArray[np.bool_], area: Region, heat_hw: tuple[int, int], seed: int) -> None:
    rows, columns = grid.shape
    heat = np.random.default_rng(seed).random(heat_hw).astype(np.float32)
    sensor_from_mask = sensor_from_map(area, (columns, rows))
    found = find_defects(logits(grid), heat, sensor_from_mask, EVERYTHING, view="top", mm_per_px=0.1)
    painted = np.zeros_like(grid)
    for defect in found:
        mask = defect.mask
        corner = geometry.apply(geometry.invert(sensor_from_mask), [mask.x - 0.5, mask.y - 0.5]) + 0.5
        x, y = corner.round().astype(int)
        assert np.allclose(corner, [x, y], atol=1e-6)
        piece = run_length.decode(mask.counts, mask.rows, mask.columns)
        assert not (painted[y : y + mask.rows, x : x + mask.columns] & piece).any()
        painted[y : y + mask.rows, x : x + mask.columns] |= piece
        assert defect.area_px == pytest.approx(piece.sum() * area.w / columns * area.h / rows)
        assert defect.area_mm2 == pytest.approx(defect.area_px * 0.01)
        assert defect.box == (mask.x, mask.y, mask.width, mask.height)
        assert area.x - 1e-6 <= mask.x
        assert mask.x + mask.width <= area.x + area.w + 1e-6
        left, top, width, height = defect.box
        cell_w, cell_h = area.w / heat_hw[1], area.h / heat_hw[0]
        assert left - 1.5 * cell_w <= defect.peak[0] + 0.5 <= left + width + 1.5 * cell_w + 1e-6
        assert top - 1.5 * cell_h <= defect.peak[1] + 0.5 <= top + height + 1.5 * cell_h + 1e-6
        assert defect.score == pytest.approx(defect.peak[2] / (1 + np.exp(-3.0)), rel=1e-5)
    if len(found) < MOST_DEFECTS:
        assert np.array_equal(painted, grid)
    assert list(found) == sorted(found, key=lambda one: -one.score)


@settings(max_examples=30, deadline=None)
@given(grid=GRIDS, factor=st.integers(1, 8))
def test_areas_grow_with_the_square_of_the_scale(grid: NDArray[np.bool_], factor: int) -> None:
    rows, columns = grid.shape
    heat = np.full((4, 4), 1.0, np.float32)
    areas = []
    for scale in (1, factor):
        sensor_from_mask = sensor_from_map(Region(0, 0, columns * scale, rows * scale), (columns, rows))
        found = find_defects(logits(grid), heat, sensor_from_mask, EVERYTHING, view="top", mm_per_px=None)
        areas.append([defect.area_px for defect in found])
        assert all(defect.area_mm2 is None for defect in found)
    assert areas[1] == pytest.approx([area * factor**2 for area in areas[0]])
