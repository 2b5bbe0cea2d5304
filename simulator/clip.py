"""A spring clip: two arms with hooked tips, barbs, a spring slot and fixing holes."""

from __future__ import annotations

from simulator.features import hole, notch, slot
from simulator.parts import Blueprint, Dimension, Feature, Keypoint, Layer, Process
from simulator.shape import Capsule, Polygon, rounded


def _barb(name: str, x: float, y: float, outward: float) -> Feature:
    """A pressed-out tooth on a flank; the keypoint is its tip."""
    shape = Polygon(((-2.5 * outward, -3.4), (3.6 * outward, 1.2), (3.6 * outward, 1.9), (-2.5 * outward, 2.2)))
    keypoint = Keypoint(name, 1.3, (3.6 * outward, 1.5))
    return Feature(name, (x, y), (keypoint,), (Layer(Process.ADD, shape, edge=0.4, flush=True),))


def _hook(name: str, x: float, y: float, inward: float) -> Feature:
    """The hooked end of an arm; the keypoint is its point."""
    shape = Polygon(
        ((-2.2 * inward, 2.5), (-2.2 * inward, -3.0), (0.5 * inward, -4.6), (4.6 * inward, -0.2), (2.2 * inward, 2.5))
    )
    keypoint = Keypoint(name, 1.4, (4.6 * inward, -0.2))
    return Feature(name, (x, y), (keypoint,), (Layer(Process.ADD, shape, edge=0.5, flush=True),))


def clip() -> Blueprint:
    """Nominal dimensions in mm, 0.08 mm per px."""
    outline = rounded(
        (
            (-24, -16),
            (-19, -16),
            (-16, 2),
            (-9, 6),
            (9, 6),
            (16, 2),
            (19, -16),
            (24, -16),
            (24, 10),
            (15, 18),
            (-15, 18),
            (-24, 10),
        ),
        (0.0, 0.0, 3.0, 3.0, 3.0, 3.0, 0.0, 0.0, 3.0, 3.0, 3.0, 3.0),
    )
    return Blueprint(
        family="clip",
        mm_per_px=0.08,
        outline=outline,
        features=(
            _hook("hook_left", -21.8, -16.0, 1.0),
            _hook("hook_right", 21.8, -16.0, -1.0),
            _barb("barb_left", -24.0, -4.0, -1.0),
            _barb("barb_right", 24.0, 1.0, 1.0),
            hole("datum_left", -19.6, 6.5, 1.5),
            hole("datum_right", 19.6, 6.5, 1.5),
            hole("rivet_left", -13.0, 11.2, 1.1),
            hole("rivet_right", 12.0, 12.8, 1.1),
            hole("eye_left", -20.9, -8.6, 0.9),
            hole("eye_right", 20.7, -6.0, 0.9),
            slot("spring", (-6.0, 10.2), (6.5, 10.2), 1.2, ("spring_left", "spring_right")),
            notch("notch", 4.0, 18.0, half_width=2.4, depth=3.6),
        ),
        decoration=(Layer(Process.EMBOSS, Capsule((-10.0, 15.2), (-2.0, 15.2), 0.9), edge=0.4),),
        dimensions=(
            Dimension("datum_span_mm", ("datum_left", "datum_right"), 39.2, 0.25, {"datum_right": (1.0, 0.0)}),
            Dimension("mouth_mm", ("hook_left", "hook_right"), 34.4, 0.4, {"hook_right": (1.0, 0.0)}),
        ),
        marking="K3",
        marking_at=(15.0, 8.0),
        edge=0.45,
    )
