"""What parts look like from above: a word for the part, its outline, and an opening through its middle if it has one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulator.shape import Capsule, Circle, Point, Polygon, Shape, box, rounded

Random = np.random.Generator


@dataclass(frozen=True)
class PartShape:
    """An outline in mm around the origin.

    Attributes:
        half_wh: half of its width and height.
        reach: how far from the middle features lie, in shares of ``half_wh``.
        square_corners: whether its four corners are corners of its box.
        round_about: whether only its features tell how it is turned.
        opening: cut through its middle.
    """

    part: str
    outline: Shape
    half_wh: Point
    reach: float = 0.66
    square_corners: bool = False
    round_about: bool = False
    opening: Shape | None = None


def drawn_shape(rng: Random, part: str) -> PartShape:
    """An outline of a part of that word, some 60 mm long."""
    return _SHAPES[part](rng)


def parts() -> tuple[str, ...]:
    """All words for parts."""
    return tuple(_SHAPES)


def _sides(rng: Random, least: float = 0.6, most: float = 0.95) -> tuple[float, float]:
    """Half of a width and a height; a third stand upright."""
    long, short = 30.0, 30.0 * float(rng.uniform(least, most))
    return (long, short) if rng.random() < 0.7 else (short, long)


def _rectangle(w: float, h: float) -> tuple[Point, ...]:
    return (-w, -h), (w, -h), (w, h), (-w, h)


def _plate(rng: Random) -> PartShape:
    w, h = _sides(rng)
    sharp = rng.random() < 0.6
    radius = 0.0 if sharp else float(rng.uniform(2.0, 7.0))
    return PartShape("plate", rounded(_rectangle(w, h), radius), (w, h), 0.7, square_corners=sharp)


def _frame(rng: Random) -> PartShape:
    w, h = _sides(rng, 0.75)
    inner = float(rng.uniform(0.38, 0.46))
    opening = box(-inner * w, -inner * h, inner * w, inner * h, float(rng.uniform(0.5, 4.0)))
    return PartShape("frame", rounded(_rectangle(w, h), 1.5), (w, h), 0.74, opening=opening)


def _disc(rng: Random) -> PartShape:
    r = float(rng.uniform(27.0, 30.0))
    return PartShape("disc", Circle(r), (r, r), 0.55, round_about=True)


def _ring(rng: Random) -> PartShape:
    r = float(rng.uniform(27.0, 30.0))
    return PartShape(
        "ring", Circle(r), (r, r), 0.56, round_about=True, opening=Circle(r * float(rng.uniform(0.4, 0.5)))
    )


def _gear(rng: Random) -> PartShape:
    teeth, depth, r = int(rng.integers(12, 30)), float(rng.uniform(1.2, 2.4)), float(rng.uniform(26.0, 28.0))
    turn = np.linspace(0.0, 2 * math.pi, teeth * 16, endpoint=False)
    radius = r + depth * np.clip(1.8 * np.cos(teeth * turn), -1.0, 1.0)
    outline = Polygon(tuple(zip((radius * np.cos(turn)).tolist(), (radius * np.sin(turn)).tolist(), strict=True)))
    return PartShape("gear", outline, (r, r), 0.52, round_about=True)


def _hexagon(rng: Random) -> PartShape:
    r = float(rng.uniform(28.0, 31.0))
    points = tuple((r * math.cos(i * math.pi / 3), r * math.sin(i * math.pi / 3)) for i in range(6))
    return PartShape("hexagon", rounded(points, float(rng.uniform(0.3, 2.0))), (r, 0.866 * r), 0.54, round_about=True)


def _bracket(rng: Random) -> PartShape:
    """An L: one quarter is cut away."""
    w, h = _sides(rng, 0.7)
    x, y = float(rng.uniform(-0.15, 0.1)) * w, float(rng.uniform(-0.15, 0.1)) * h
    points = [(-w, -h), (x, -h), (x, y), (w, y), (w, h), (-w, h)]
    if rng.random() < 0.5:
        points = [(-a, b) for a, b in reversed(points)]
    return PartShape("bracket", rounded(tuple(points), float(rng.uniform(0.5, 2.5))), (w, h), 0.68)


def _tee(rng: Random) -> PartShape:
    w, h = _sides(rng, 0.75)
    x, y = float(rng.uniform(0.3, 0.42)) * w, float(rng.uniform(-0.2, 0.0)) * h
    points = [(-w, -h), (w, -h), (w, y), (x, y), (x, h), (-x, h), (-x, y), (-w, y)]
    if rng.random() < 0.5:
        points = [(a, -b) for a, b in reversed(points)]
    return PartShape("tee", rounded(tuple(points), float(rng.uniform(0.5, 2.0))), (w, h), 0.68)


def _cross(rng: Random) -> PartShape:
    w, h = _sides(rng, 0.75)
    x, y = float(rng.uniform(0.32, 0.45)) * w, float(rng.uniform(0.32, 0.45)) * h
    ring = ((-x, -h), (x, -h), (x, -y), (w, -y), (w, y), (x, y), (x, h), (-x, h), (-x, y), (-w, y), (-w, -y), (-x, -y))
    return PartShape("cross", rounded(ring, float(rng.uniform(0.5, 2.0))), (w, h), 0.7)


def _lever(rng: Random) -> PartShape:
    h = float(rng.uniform(10.0, 15.0))
    return PartShape("lever", Capsule((-31.0 + h, 0.0), (31.0 - h, 0.0), h), (31.0, h), 0.62)


def _gusset(rng: Random) -> PartShape:
    """A triangle with a right angle."""
    w, h = _sides(rng, 0.7)
    points = ((-w, -h), (w, h), (-w, h)) if rng.random() < 0.5 else ((w, -h), (w, h), (-w, h))
    return PartShape("gusset", rounded(points, float(rng.uniform(0.5, 2.0))), (w, h), 0.62)


def _wedge(rng: Random) -> PartShape:
    w, h = _sides(rng, 0.6, 0.85)
    narrow = float(rng.uniform(0.4, 0.65)) * w
    points = ((-narrow, -h), (narrow, -h), (w, h), (-w, h))
    return PartShape("wedge", rounded(points, float(rng.uniform(0.5, 3.0))), (w, h), 0.62)


_SHAPES: dict[str, Callable[[Random], PartShape]] = {
    "plate": _plate,
    "frame": _frame,
    "disc": _disc,
    "ring": _ring,
    "gear": _gear,
    "hexagon": _hexagon,
    "bracket": _bracket,
    "tee": _tee,
    "cross": _cross,
    "lever": _lever,
    "gusset": _gusset,
    "wedge": _wedge,
}
