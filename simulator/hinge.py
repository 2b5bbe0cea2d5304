"""A hinge leaf: three knuckles with their pin, six countersunk screw holes, a slot and a relief notch."""

from __future__ import annotations

from simulator.features import corner, countersunk, notch, slot
from simulator.parts import Blueprint, Dimension, Feature, Keypoint, Layer, Process
from simulator.shape import Polygon, box, rounded


def _knuckle(x0: float, x1: float) -> Feature:
    roll = Layer(Process.ADD, box(x0, -21.5, x1, -14.5, 0.6), edge=2.6, gain=1.05)
    return Feature(f"knuckle_{x0:.0f}", (0.0, 0.0), (), (roll,), essential=True)


def _axle(name: str, x: float, outward: float) -> Feature:
    """One end of the hinge pin, which stands out of the outer knuckle; the keypoint is the middle of its face."""
    root, end = -4.0 * outward, 4.6 * outward
    shape = Polygon(((root, -1.6), (end - outward, -1.6), (end, -0.9), (end, 0.9), (end - outward, 1.6), (root, 1.6)))
    keypoint = Keypoint(name, 1.7, (end, 0.0))
    return Feature(name, (x, -18.0), (keypoint,), (Layer(Process.ADD, shape, edge=1.2, gain=1.25),))


def hinge() -> Blueprint:
    """Nominal dimensions in mm, 0.1 mm per px."""
    screws = ((-24.0, -6.0), (-9.0, -8.5), (11.0, -8.5), (24.0, -5.0), (-19.0, 9.5), (20.0, 10.5))
    return Blueprint(
        family="hinge",
        mm_per_px=0.1,
        outline=rounded(((-30, -17), (30, -17), (30, 17), (-30, 17)), (0.0, 0.0, 0.0, 5.0)),
        features=(
            _axle("axle_left", -30.0, -1.0),
            _axle("axle_right", 30.0, 1.0),
            *(_knuckle(x0, x1) for x0, x1 in ((-30.0, -14.0), (-8.0, 8.0), (14.0, 30.0))),
            *(countersunk(f"screw_{index}", x, y, 1.6) for index, (x, y) in enumerate(screws, start=1)),
            slot("slot", (-7.0, 4.5), (9.0, 4.5), 1.4, ("slot_left", "slot_right")),
            notch("relief", 3.0, 17.0, half_width=2.8, depth=4.4),
            corner("corner_right", 30.0, 17.0, size=1.6, inward=-1.0, down=-1.0),
        ),
        decoration=(Layer(Process.SINK, box(-26.5, 0.5, -12.0, 3.5, 0.8), edge=0.4),),
        dimensions=(
            Dimension("screw_span_mm", ("screw_5", "screw_6"), 39.0128, 0.3, {"screw_6": (1.0, 0.0)}),
            Dimension("slot_height_mm", ("screw_3", "slot_right"), 13.1529, 0.3, {"slot": (0.0, 1.0)}),
        ),
        marking="H60 R",
        marking_at=(-12.0, 12.5),
    )
