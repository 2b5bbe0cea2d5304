"""Maps between images lead there and back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline import geometry

coordinate = st.floats(-5000, 5000)
scale = st.floats(0.01, 100)
points = st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=5).map(np.array)
step = st.one_of(
    st.builds(geometry.crop, coordinate, coordinate),
    st.builds(geometry.resize, scale, scale),
    st.builds(geometry.flip_x, st.integers(1, 5000)),
    st.builds(geometry.flip_y, st.integers(1, 5000)),
)


@given(points, st.builds(geometry.crop, coordinate, coordinate), scale, scale, st.booleans(), st.integers(1, 5000))
def test_region_scale_and_flip_lead_back(
    xy: np.ndarray, crop: np.ndarray, sx: float, sy: float, is_flipped: bool, width: int
) -> None:
    flip = geometry.flip_x(width) if is_flipped else geometry.identity()
    there = geometry.compose(flip, geometry.resize(sx, sy), crop)
    back = geometry.apply(geometry.invert(there), geometry.apply(there, xy))
    assert np.abs(back - xy).max() <= 1e-6


@given(points, step, step)
def test_composed_maps_are_maps_in_turn(xy: np.ndarray, c_from_b: np.ndarray, b_from_a: np.ndarray) -> None:
    in_turn = geometry.apply(c_from_b, geometry.apply(b_from_a, xy))
    assert np.allclose(geometry.apply(geometry.compose(c_from_b, b_from_a), xy), in_turn, rtol=1e-12, atol=1e-6)


@given(st.integers(1, 4000), scale)
def test_a_resize_keeps_the_outer_edges_of_an_image(width: int, s: float) -> None:
    edges = geometry.apply(geometry.resize(s, s), [[-0.5, -0.5], [width - 0.5, -0.5]])
    assert np.allclose(edges, [[-0.5, -0.5], [width * s - 0.5, -0.5]], rtol=1e-12)


def test_a_flip_changes_first_and_last_column_over() -> None:
    assert geometry.apply(geometry.flip_x(640), [0.0, 7.0]).tolist() == [639.0, 7.0]
    assert geometry.apply(geometry.flip_y(480), [3.0, 479.0]).tolist() == [3.0, 0.0]


def test_perspective_is_divided_through() -> None:
    plane = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 4.0]])
    assert geometry.apply(plane, [6.0, 10.0]).tolist() == [3.0, 5.0]
