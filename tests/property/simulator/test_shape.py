import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.shape import Capsule, Circle, Polygon, Shape, box, rounded

SHAPES: list[Shape] = [
    Circle(2.2, (0.3, -0.4)),
    Capsule((-3.0, 1.0), (4.0, -1.5), 1.3),
    Polygon(((-4.0, -3.0), (4.0, -3.0), (0.0, 0.5), (4.0, 4.0), (-4.0, 4.0)), band=20.0),
    rounded(((-4.0, -3.0), (4.0, -3.0), (4.0, 3.0), (-4.0, 3.0)), (0.0, 1.0, 2.0, 0.5)),
    box(-3.0, -2.0, 3.0, 2.0, 0.7),
]
coordinates = st.floats(-6.0, 6.0)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
@given(x=coordinates, y=coordinates)
def test_distance_is_negative_exactly_inside(shape: Shape, x: float, y: float) -> None:
    distance = shape.distance_mm(np.array([x]), np.array([y]))[0, 0]
    if abs(distance) > 1e-9:
        assert (distance < 0) == shape.contains(np.array([[x, y]]))[0]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
@given(x=coordinates, y=coordinates)
def test_distance_from_outside_is_never_further_than_the_outline(shape: Shape, x: float, y: float) -> None:
    distance = shape.distance_mm(np.array([x]), np.array([y]))[0, 0]
    to_outline = np.hypot(*(shape.outline_mm() - (x, y)).T).min()
    assert distance <= to_outline + 1e-9


@given(x=coordinates, y=coordinates)
def test_distance_to_a_square_is_that_of_the_textbook(x: float, y: float) -> None:
    square = Polygon(((-2.0, -2.0), (2.0, -2.0), (2.0, 2.0), (-2.0, 2.0)), band=20.0)
    dx, dy = abs(x) - 2.0, abs(y) - 2.0
    expected = np.hypot(max(dx, 0.0), max(dy, 0.0)) + min(max(dx, dy), 0.0)
    assert square.distance_mm(np.array([x]), np.array([y]))[0, 0] == pytest.approx(expected, abs=1e-9)


def test_a_rounded_corner_touches_both_sides() -> None:
    shape = rounded(((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)), 2.0, steps=40)
    axis = np.array([0.0, 2.0, 5.0])
    assert shape.distance_mm(axis, np.array([0.0]))[0] == pytest.approx([2 * (2**0.5 - 1), 0.0, 0.0], abs=2e-3)
