import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import geometry
from pipeline.geometry import Region
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.stages.crop import sensor_from_map
from training.segment_evaluate import every_defect
from training.segment_maps import Maps, Place, draw, on_sensor, window


def maps_of(logits: np.ndarray, area: Region) -> Maps:
    logits = logits.astype(np.float32)
    return Maps(logits, np.ones((4, 4), np.float32), sensor_from_map(area, logits.shape[::-1]))


def test_corner_and_cells_are_those_of_the_area() -> None:
    maps = maps_of(np.zeros((10, 20)), Region(-6, 4, 40, 30))
    assert maps.corner() == pytest.approx((-6.0, 4.0))
    assert maps.cell_wh() == pytest.approx((2.0, 3.0))


def test_a_window_has_the_pixels_whose_centres_are_in_the_region() -> None:
    seen = window(Region(-3.0, 1.6, 10.4, 100.0), (50, 40))
    assert (seen.columns, seen.rows) == (slice(0, 7), slice(2, 40))
    away = window(Region(60, 0, 10, 10), (50, 40))
    assert away.columns.start == away.columns.stop


@given(
    seed=st.integers(0, 10_000),
    x=st.integers(-20, 20),
    y=st.integers(-20, 20),
    wide=st.integers(20, 90),
    high=st.integers(20, 90),
    rows=st.integers(3, 40),
    columns=st.integers(3, 40),
)
def test_drawn_masks_are_the_pixels_above_the_threshold(
    seed: int, x: int, y: int, wide: int, high: int, rows: int, columns: int
) -> None:
    wh = (60, 50)
    area = Region(x, y, wide, high)
    maps = maps_of(np.random.default_rng(seed).normal(size=(rows, columns)), area)
    place = Place([area])
    own = place.own(maps, wh)
    labels = np.zeros((wh[1], wh[0]), np.int32)
    for defect in every_defect(maps, own, SegmentThresholds(mask_above=0.6)):
        draw(defect.mask, 1, labels)
    seen = window(area, wh)
    above = on_sensor(maps, own, seen) >= np.log(0.6 / 0.4)
    assert np.array_equal(labels[seen.rows, seen.columns] > 0, above)


def test_every_pixel_is_asked_of_the_cell_that_its_centre_lies_in() -> None:
    maps = maps_of(np.arange(35.0).reshape(5, 7), Region(2, 3, 21, 20))
    found = on_sensor(maps, np.ones((5, 7), np.bool_), window(Region(2, 3, 21, 20), (30, 30)))
    for row, column in ((0, 0), (3, 2), (4, 3), (19, 20)):
        cell = geometry.apply(geometry.invert(maps.sensor_from_mask), [column + 2, row + 3])
        assert found[row, column] == maps.mask_logits[round(float(cell[1])), round(float(cell[0]))]


def test_cells_that_do_not_count_say_that_there_is_nothing() -> None:
    maps = maps_of(np.full((4, 4), 9.0), Region(0, 0, 8, 8))
    own = np.ones((4, 4), np.bool_)
    own[0] = False
    found = on_sensor(maps, own, window(Region(0, 0, 8, 8), (8, 8)))
    assert np.isneginf(found[:2]).all()
    assert (found[2:] == 9.0).all()
