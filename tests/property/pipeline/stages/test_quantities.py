"""Quantities of a part do not depend on where it lies, and grow with it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.recipe_measure import DatumSettings, MeasureSettings
from pipeline.stages.quantities import Shapes, quantity

POINTS = {"o": (0.0, 0.0), "x": (30.0, 2.0), "p": (7.0, 11.0), "q": (22.0, -9.0)}
DATUM = DatumSettings(origin="o", x_axis="x")
LENGTHS = {
    "distance": MeasureSettings(distance=("p", ("o", "x"))),
    "from_line": MeasureSettings(distance=("rim", "edge")),
    "perpendicularity": MeasureSettings(perpendicularity=("edge", ("o", "x"))),
    "pitch": MeasureSettings(pitch=["o", "p", "q"], nominal=0.0),
    "circle": MeasureSettings(circle=["o", "x", "p", "q"]),
    "rim": MeasureSettings(circle="rim"),
}
AREAS = {"polygon": MeasureSettings(area=["o", "x", "p"]), "disc": MeasureSettings(area="rim")}
ANGLES = {
    "in_datum": MeasureSettings(angle=("o", "p"), datum="A"),
    "of_lines": MeasureSettings(angle=("edge", ("o", "x"))),
}
PLACES = st.floats(-1000.0, 1000.0)


def shapes(turn: float, scale: float, by: tuple[float, float]) -> Shapes:
    """The part, grown, turned and moved; beside its points an edge_circle and an edge_line."""
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])

    def moved(*points: tuple[float, float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return (np.array(points) * scale @ rotation + by).reshape(1, -1)

    rim = np.hstack([moved((12.0, 20.0)), [[4.0 * scale]]])
    found = {name: moved(xy) for name, xy in POINTS.items()}
    return Shapes({**found, "rim": rim, "edge": moved((-3.0, 5.0), (9.0, 30.0))})


def value(wanted: MeasureSettings, turn: float, scale: float, by: tuple[float, float]) -> float:
    return float(quantity(wanted, DATUM if wanted.datum else None, shapes(turn, scale, by))[0])


@settings(max_examples=25, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(0.1, 10.0), st.tuples(PLACES, PLACES))
def test_a_part_measures_the_same_wherever_it_lies(turn: float, scale: float, by: tuple[float, float]) -> None:
    here = (0.0, 1.0, (0.0, 0.0))
    for name, wanted in LENGTHS.items():
        assert value(wanted, turn, scale, by) == pytest.approx(scale * value(wanted, *here), rel=1e-6), name
    for name, wanted in AREAS.items():
        assert value(wanted, turn, scale, by) == pytest.approx(scale**2 * value(wanted, *here), rel=1e-6), name
    for name, wanted in ANGLES.items():
        assert value(wanted, turn, scale, by) == pytest.approx(value(wanted, *here), abs=1e-6), name
