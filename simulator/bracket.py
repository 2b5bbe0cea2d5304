"""The demo part: a stamped bracket with two datum holes, a slot, a row of pins, a notch and a tab."""

from __future__ import annotations

import math

from simulator.parts import Blueprint, Dimension, Feature, Keypoint, Layer, Process
from simulator.shape import Capsule, Circle, Polygon, rounded

_PIN_PITCH = 5.08
_TAB_TIP = (14.0, 24.0)
_TAB_LEVER = (14.0, 20.0)  # from hole_large to the tab's tip
_PER_DEGREE = math.radians(1.0)


def _hole(name: str, x: float, y: float, radius: float) -> Feature:
    return Feature(name, (x, y), (Keypoint(name, radius),), (Layer(Process.CUT, Circle(radius), edge=0.5),))


def _pin(index: int) -> Feature:
    blade = Polygon(((-0.8, 3.0), (-0.8, -5.4), (-0.45, -6.2), (0.45, -6.2), (0.8, -5.4), (0.8, 3.0)))
    tip = Keypoint(f"pin_{index}", 1.4, (0.0, -6.2))
    return Feature(
        f"pin_{index}", ((index - 3) * _PIN_PITCH, -17.0), (tip,), (Layer(Process.ADD, blade, edge=0.5, gain=1.22),)
    )


def _corner(name: str, x: float, y: float, inward: float) -> Feature:
    """A square corner; where it is missing it was broken off along a ragged line."""
    far = 30.0 * inward
    broken = Polygon(
        ((-far, -9.0), (8.0 * inward, -9.0), (8.0 * inward, 0.0), (5.2 * inward, 2.1), (4.1 * inward, 4.6)) +
        ((0.6 * inward, 6.8), (-far, 6.8))
    )
    return Feature(name, (x, y), (Keypoint(name, 1.6),), missing=(Layer(Process.CUT, broken, edge=0.25),))


def bracket() -> Blueprint:
    """Nominal dimensions in mm at 0.1 mm per px; the tolerances are those of the example recipe."""
    outline = rounded(
        ((-32, -17), (32, -17), (32, 9), (24, 17), (4, 17), (0, 21), (-24, 21), (-32, 13)),
        (0.0, 0.0, 2.0, 2.0, 1.5, 1.5, 2.0, 2.0),
    )
    slot = Feature(
        "slot",
        (0.0, -8.0),
        (Keypoint("slot_left", 1.6, (-8.0, 0.0)), Keypoint("slot_right", 1.6, (8.0, 0.0))),
        (Layer(Process.CUT, Capsule((-8.0, 0.0), (8.0, 0.0), 1.6)),),
    )
    notch = Feature(
        "notch",
        (-12.0, 21.0),
        (Keypoint("notch", 1.6, (0.0, -4.6)),),
        (Layer(Process.CUT, Polygon(((0.0, -4.6), (4.2, 2.0), (-4.2, 2.0))), edge=0.4),),
    )
    tab = Feature(
        "tab",
        _TAB_TIP,
        (Keypoint("tab", 1.8),),
        (
            Layer(Process.ADD, Capsule((0.0, -9.0), (0.0, 0.0), 2.9), flush=True),
            Layer(Process.CUT, Circle(1.15), edge=0.4),
        ),
    )
    return Blueprint(
        family="bracket",
        mm_per_px=0.1,
        outline=outline,
        features=(
            _hole("datum_left", -24.0, 4.0, 2.2),
            _hole("datum_right", 24.0, 4.0, 2.2),
            _hole("hole_large", 0.0, 4.0, 3.0),
            slot,
            *(_pin(index) for index in range(1, 6)),
            notch,
            tab,
            _corner("corner_left", -32.0, -17.0, 1.0),
            _corner("corner_right", 32.0, -17.0, -1.0),
        ),
        decoration=(
            Layer(Process.EMBOSS, Capsule((-16.5, 0.0), (-16.5, 12.0), 1.5), edge=0.6),
            Layer(Process.EMBOSS, Capsule((14.5, -2.0), (14.5, 10.0), 1.5), edge=0.6),
            Layer(Process.SINK, Circle(1.1, (-27.0, -9.0)), edge=0.4),
        ),
        dimensions=(
            Dimension("datum_span_mm", ("datum_left", "datum_right"), 48.0, 0.3, {"datum_right": (1.0, 0.0)}),
            Dimension(
                "pin_span_mm",
                ("pin_1", "pin_5"),
                4 * _PIN_PITCH,
                0.3,
                {f"pin_{index}": ((index - 3) / 4, 0.0) for index in range(1, 6)},
            ),
            Dimension(
                "tab_angle_deg",
                ("datum_right", "hole_large", "tab"),
                math.degrees(math.atan2(_TAB_LEVER[1], _TAB_LEVER[0])),
                1.0,
                {"tab": (-_TAB_LEVER[1] * _PER_DEGREE, _TAB_LEVER[0] * _PER_DEGREE)},
            ),
            Dimension("slot_length_mm", ("slot_left", "slot_right"), 16.0, 0.3, {}),
        ),
        marking="DT-48",
        marking_at=(-13.0, 15.0),
    )
