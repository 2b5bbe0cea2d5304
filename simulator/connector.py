"""A board connector: six pins, a latch, a window and a coding notch."""

from __future__ import annotations

from simulator.features import corner, hole, notch, pin, slot, tab
from simulator.parts import Blueprint, Dimension, Layer, Process
from simulator.shape import box, rounded

_PITCH = 3.81


def connector() -> Blueprint:
    """Nominal dimensions in mm, 0.05 mm per px."""
    return Blueprint(
        family="connector",
        mm_per_px=0.05,
        outline=rounded(
            ((-16, -7), (16, -7), (16, 5), (13, 5), (13, 9), (-13, 9), (-13, 5), (-16, 5)),
            (0.0, 0.0, 1.0, 0.5, 1.0, 1.0, 0.5, 1.0),
        ),
        features=(
            hole("datum_left", -13.2, 1.0, 1.1),
            hole("datum_right", 13.2, 1.0, 1.1),
            *(
                pin(f"pin_{index}", (index - 3.5) * _PITCH, -7.0, half_width=0.5, length=4.6, root=5.5)
                for index in range(1, 7)
            ),
            slot("window", (-6.0, 4.6), (2.0, 4.6), 0.85, ("window_left", "window_right")),
            notch("key", -9.5, 9.0, half_width=1.5, depth=2.4),
            tab("latch", (7.0, 12.2), (7.0, 8.0), radius=1.6, eye=0.65),
            corner("corner_left", -16.0, -7.0, size=0.8, inward=1.0),
            corner("corner_right", 16.0, -7.0, size=0.8, inward=-1.0),
        ),
        decoration=(
            Layer(Process.SINK, box(-11.3, -4.2, 11.3, -1.0, 0.4), edge=0.3),
            Layer(Process.EMBOSS, box(5.0, 2.4, 9.0, 7.4, 0.5), edge=0.3),
        ),
        dimensions=(
            Dimension(
                "pin_span_mm",
                ("pin_1", "pin_6"),
                5 * _PITCH,
                0.15,
                {f"pin_{index}": ((index - 3.5) / 5, 0.0) for index in range(1, 7)},
            ),
        ),
        marking="C6",
        marking_at=(-2.6, 8.2),
        edge=0.3,
    )
