"""A pipe flange: a bore, five bolt holes, two ears, a key and a sensor port."""

from __future__ import annotations

import math

from simulator.features import countersunk, hole, notch, opening, tab
from simulator.parts import Blueprint, Dimension, Layer, Process
from simulator.shape import Circle, Polygon

_RADIUS = 27.0
_BOLT_CIRCLE = 20.5


def _rim() -> Polygon:
    turn = [2 * math.pi * step / 240 for step in range(240)]
    return Polygon(tuple((_RADIUS * math.cos(t), min(_RADIUS * math.sin(t), 24.0)) for t in turn))


def flange() -> Blueprint:
    """Nominal dimensions in mm, 0.1 mm per px."""
    bolts = [math.radians(-90 + 36 + 72 * index) for index in range(5)]
    return Blueprint(
        family="flange",
        mm_per_px=0.1,
        outline=_rim(),
        features=(
            opening("bore", 0.0, 0.0, 9.5),
            *(
                countersunk(f"bolt_{index}", _BOLT_CIRCLE * math.cos(t), _BOLT_CIRCLE * math.sin(t), 1.7)
                for index, t in enumerate(bolts, start=1)
            ),
            hole("dowel_left", -15.5, 2.5, 1.2),
            hole("dowel_right", 15.5, 2.5, 1.2),
            notch("key", 0.0, -_RADIUS, half_width=3.0, depth=5.0, up=False),
            hole("port", 6.5, -13.8, 1.4),
            hole("vent", -4.0, 15.5, 1.0),
            tab("ear_left", (-32.5, -2.0), (-24.0, -2.0), radius=4.0, eye=1.6),
            tab("ear_right", (32.5, 4.0), (24.0, 4.0), radius=4.0, eye=1.6),
        ),
        decoration=(
            Layer(Process.EMBOSS, Circle(12.2), edge=0.7),
            Layer(Process.SINK, Circle(24.8), edge=0.35),
        ),
        dimensions=(
            Dimension("dowel_span_mm", ("dowel_left", "dowel_right"), 31.0, 0.3, {"dowel_right": (1.0, 0.0)}),
            Dimension("ear_span_mm", ("ear_left", "ear_right"), math.hypot(65.0, 6.0), 0.4, {"ear_left": (-1.0, 0.0)}),
        ),
        marking="DN 20",
        marking_at=(-16.0, -8.0),
    )
