"""The demo part: a stamped bracket with two datum holes, a slot, a row of pins, a notch and a tab."""

from __future__ import annotations

import math

from simulator.features import corner, hole, notch, pin, slot, tab
from simulator.parts import Blueprint, Dimension, Layer, Process
from simulator.shape import Capsule, Circle, rounded

_PIN_PITCH = 5.08
_HOLE_LARGE = (0.0, 4.0)
_TAB_TIP = (14.0, 24.0)
_LEVER = (_TAB_TIP[0] - _HOLE_LARGE[0], _TAB_TIP[1] - _HOLE_LARGE[1])
_PER_DEGREE = math.radians(1.0)


def bracket() -> Blueprint:
    """Nominal dimensions in mm, 0.1 mm per px."""
    return Blueprint(
        family="bracket",
        mm_per_px=0.1,
        outline=rounded(
            ((-32, -17), (32, -17), (32, 9), (24, 17), (4, 17), (0, 21), (-24, 21), (-32, 13)),
            (0.0, 0.0, 2.0, 2.0, 1.5, 1.5, 2.0, 2.0),
        ),
        features=(
            hole("datum_left", -24.0, 4.0, 2.2),
            hole("datum_right", 24.0, 4.0, 2.2),
            hole("hole_large", *_HOLE_LARGE, 3.0),
            slot("slot", (-8.0, -8.0), (8.0, -8.0), 1.6, ("slot_left", "slot_right")),
            *(
                pin(f"pin_{index}", (index - 3) * _PIN_PITCH, -17.0, half_width=0.85, length=6.2, root=3.0)
                for index in range(1, 6)
            ),
            notch("notch", -12.0, 21.0, half_width=2.9, depth=4.6),
            tab("tab", _TAB_TIP, (14.0, 15.0), radius=2.9, eye=1.15),
            corner("corner_left", -32.0, -17.0, size=1.6, inward=1.0),
            corner("corner_right", 32.0, -17.0, size=1.6, inward=-1.0),
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
                "tab_angle_deg",  # between the line through the datum holes and the line from hole_large to the tab
                ("datum_right", "hole_large", "tab"),
                math.degrees(math.atan2(_LEVER[1], _LEVER[0])),
                1.0,
                {"tab": (-_LEVER[1] * _PER_DEGREE, _LEVER[0] * _PER_DEGREE)},
            ),
        ),
        marking="DT-48",
        marking_at=(-13.2, 14.6),
    )
