"""A gear-like cover: a toothed rim, four screw holes, three vents, an index notch and a lug."""

from __future__ import annotations

import math

from simulator.features import countersunk, hole, notch, slot, tab
from simulator.parts import Blueprint, Dimension, Layer, Process
from simulator.shape import Capsule, Circle, Polygon

_TEETH = 18


def _rim() -> Polygon:
    """Rounded teeth of 1.5 mm on a radius of 26 mm; none where the notch and the lug are."""
    points = []
    for step in range(_TEETH * 20):
        turn = 2 * math.pi * step / (_TEETH * 20)
        plain = max(math.cos(turn + math.pi / 2), math.cos(turn - math.radians(60))) > 0.95
        tooth = 0.0 if plain else max(-1.0, min(1.0, 1.8 * math.cos(_TEETH * turn)))
        radius = 26.0 + 1.5 * tooth
        points.append((radius * math.cos(turn), radius * math.sin(turn)))
    return Polygon(tuple(points))


def _vent(index: int, degrees: float) -> tuple[tuple[float, float], tuple[float, float]]:
    turn = math.radians(degrees)
    inner, outer = 6.5 + 0.8 * index, 13.5 + 0.8 * index
    return (inner * math.cos(turn), inner * math.sin(turn)), (outer * math.cos(turn), outer * math.sin(turn))


def cover() -> Blueprint:
    """Nominal dimensions in mm, 0.1 mm per px."""
    screws = ((-18.0, -11.0), (17.5, -12.0), (19.5, 7.0), (-14.5, 15.5))
    vents = [
        slot(f"vent_{index}", *_vent(index, degrees), 1.3, (f"vent_{index}_inner", f"vent_{index}_outer"))
        for index, degrees in ((1, -90.0), (2, 20.0), (3, 160.0))
    ]
    lug = math.radians(60)
    return Blueprint(
        family="cover",
        mm_per_px=0.1,
        outline=_rim(),
        features=(
            *(countersunk(f"screw_{index}", x, y, 1.6) for index, (x, y) in enumerate(screws, start=1)),
            *vents,
            notch("index", 0.0, -26.0, half_width=2.8, depth=4.6, up=False),
            tab(
                "lug",
                (31.5 * math.cos(lug), 31.5 * math.sin(lug)),
                (23.0 * math.cos(lug), 23.0 * math.sin(lug)),
                radius=3.4,
                eye=1.4,
            ),
            hole("datum_left", -9.0, -4.0, 1.5),
            hole("datum_right", 9.0, -4.0, 1.5),
        ),
        decoration=(
            Layer(Process.SINK, Circle(23.6), edge=0.4),
            Layer(Process.EMBOSS, Circle(3.6), edge=0.8),
            Layer(Process.EMBOSS, Capsule((-6.0, 17.0), (6.0, 17.0), 1.4), edge=0.5),
        ),
        dimensions=(
            Dimension("datum_span_mm", ("datum_left", "datum_right"), 18.0, 0.25, {"datum_right": (1.0, 0.0)}),
        ),
        marking="Z18",
        marking_at=(-4.4, 13.4),
    )
