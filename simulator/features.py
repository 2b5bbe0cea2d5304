"""Features that many parts have: holes, slots, pins, notches, tabs, corners that break off."""

from __future__ import annotations

from simulator.parts import Feature, Keypoint, Layer, Process
from simulator.shape import Capsule, Circle, Point, Polygon


def hole(name: str, x: float, y: float, radius: float) -> Feature:
    """A punched hole with its edge drawn in; the keypoint is its centre."""
    return Feature(name, (x, y), (Keypoint(name, radius),), (Layer(Process.CUT, Circle(radius), edge=0.22 * radius),))


def countersunk(name: str, x: float, y: float, radius: float) -> Feature:
    """A screw hole with a countersink of 1.7 times its radius."""
    sink = Layer(Process.SINK, Circle(1.55 * radius), edge=0.3 * radius, gain=0.92)
    return Feature(
        name, (x, y), (Keypoint(name, 1.5 * radius),), (sink, Layer(Process.CUT, Circle(radius), edge=0.15 * radius))
    )


def opening(name: str, x: float, y: float, radius: float) -> Feature:
    """A large hole that is always made and carries no keypoint."""
    return Feature(name, (x, y), (), (Layer(Process.CUT, Circle(radius)),), essential=True)


def slot(name: str, start: Point, end: Point, radius: float, ends: tuple[str, str]) -> Feature:
    """A slot from ``start`` to ``end``; the keypoints are the centres of its two round ends."""
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    first, last = (start[0] - x, start[1] - y), (end[0] - x, end[1] - y)
    return Feature(
        name,
        (x, y),
        (Keypoint(ends[0], radius, first), Keypoint(ends[1], radius, last)),
        (Layer(Process.CUT, Capsule(first, last, radius), edge=0.28 * radius),),
    )


def pin(name: str, x: float, y: float, *, half_width: float, length: float, root: float, gain: float = 1.22) -> Feature:
    """A tinned pin that points up from the edge at (x, y); the keypoint is the middle of its chamfered tip."""
    shoulder, tip = length - 0.9 * half_width, 0.55 * half_width
    blade = Polygon(
        (
            (-half_width, root),
            (-half_width, -shoulder),
            (-tip, -length),
            (tip, -length),
            (half_width, -shoulder),
            (half_width, root),
        )
    )
    layer = Layer(Process.ADD, blade, edge=0.62 * half_width, gain=gain)
    return Feature(name, (x, y), (Keypoint(name, 1.75 * half_width, (0.0, -length)),), (layer,))


def notch(name: str, x: float, y: float, *, half_width: float, depth: float, up: bool = True) -> Feature:
    """A V cut into an edge at (x, y), upwards or downwards; the keypoint is its apex."""
    sign = -1.0 if up else 1.0
    beyond = -0.43 * depth * sign  # the V is drawn on past the edge, so that no sliver of metal stays
    wide = half_width * 1.43
    shape = Polygon(((0.0, sign * depth), (wide, beyond), (-wide, beyond)))
    keypoint = Keypoint(name, 0.38 * half_width + 0.2 * depth, (0.0, sign * depth))
    return Feature(name, (x, y), (keypoint,), (Layer(Process.CUT, shape, edge=0.4),))


def tab(name: str, tip: Point, root: Point, *, radius: float, eye: float) -> Feature:
    """A round-ended tongue with an eye, one piece with the plate; the keypoint is the centre of the eye."""
    back = (root[0] - tip[0], root[1] - tip[1])
    tongue = Layer(Process.ADD, Capsule(back, (0.0, 0.0), radius), flush=True)
    return Feature(
        name, tip, (Keypoint(name, 0.62 * radius),), (tongue, Layer(Process.CUT, Circle(eye), edge=0.35 * eye))
    )


def corner(name: str, x: float, y: float, *, size: float, inward: float, down: float = 1.0) -> Feature:
    """A square corner of the outline; where it is missing it broke off along a ragged line of about 4 ``size``.

    ``inward`` is +1 if the plate lies to the right of the corner, -1 to the left; ``down`` likewise below or above.
    """
    ragged = ((-9.0, -9.0), (4.6, -9.0), (4.6, 0.0), (3.0, 1.3), (2.5, 2.8), (0.4, 4.0), (0.0, 4.2), (-9.0, 4.2))
    broken = Polygon(tuple((size * inward * px, size * down * py) for px, py in ragged))
    return Feature(name, (x, y), (Keypoint(name, size),), missing=(Layer(Process.CUT, broken, edge=0.25),))
