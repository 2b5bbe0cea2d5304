"""Families of parts drawn by chance: an outline with features in some of nine places, each keypoint with its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulator.features import corner, countersunk, hole, notch, slot, tab
from simulator.parts import Blueprint, Dimension, Feature, Keypoint, Layer, Process
from simulator.shape import Capsule, Circle, Point, Polygon, box
from training.keypoint_words.grammar import KeypointName
from training.keypoint_words.part_shapes import PartShape, drawn_shape, parts

Random = np.random.Generator
_ZONES: dict[str, Point] = {
    "upper left": (-1, -1),
    "upper": (0, -1),
    "upper right": (1, -1),
    "left": (-1, 0),
    "central": (0, 0),
    "right": (1, 0),
    "lower left": (-1, 1),
    "lower": (0, 1),
    "lower right": (1, 1),
}
_LETTERS = list("ABCDEFHKLMNPRSTXZ0123456789-")
_APART_MM = 6.5
_LONG_PX = 240.0  # of the longest side in the frames that are rendered


@dataclass(frozen=True)
class Family:
    """A family of parts. ``names`` are those of ``blueprint.keypoints``, in their order."""

    part: str
    blueprint: Blueprint
    names: tuple[KeypointName, ...]


def drawn_family(seed: int) -> Family:
    """The family of a seed, 4 to 12 keypoints; the same seed gives the same family."""
    rng = np.random.default_rng([seed, 7])
    while True:
        part = str(rng.choice(parts()))
        shape = drawn_shape(rng, part)
        features, names = _features(rng, shape)
        if len(names) >= 4:
            break
    long = 2 * max(shape.half_wh)
    blueprint = Blueprint(
        family=f"{part}_{seed}",
        mm_per_px=long / _LONG_PX,
        outline=shape.outline,
        features=(*_opening(shape), *features),
        decoration=_decoration(rng, shape),
        dimensions=_loose(rng, features),
        marking="".join(rng.choice(_LETTERS, 4)) if rng.random() < 0.3 else "",
        marking_at=(float(rng.uniform(-0.5, 0.1) * shape.half_wh[0]), float(rng.uniform(-0.3, 0.4) * shape.half_wh[1])),
        edge=float(rng.uniform(0.3, 0.8)),
    )
    return Family(part, blueprint, names)


def _features(rng: Random, shape: PartShape) -> tuple[list[Feature], tuple[KeypointName, ...]]:
    """Things in some of the nine places; in each place at most one."""
    features: list[Feature] = []
    names: list[KeypointName] = []
    share = rng.uniform(0.45, 0.95)
    common = str(rng.choice(list(_INNER)))  # parts repeat themselves: several of the same kind
    for place, (sx, sy) in _ZONES.items():
        if shape.round_about and place == "upper":
            made: tuple[Feature, tuple[KeypointName, ...]] | None = _notched(rng, shape, place)
        elif rng.random() > share:
            continue
        elif sx * sy == 0 and (sx or sy) and rng.random() < 0.35:
            made = _on_edge(rng, shape, place)
        else:
            kind = common if rng.random() < 0.45 else str(rng.choice(list(_INNER)))
            made = _inside(rng, shape, place, kind)
        if made is not None and _apart(made[0], features):
            features.append(made[0])
            names.extend(made[1])
    if shape.square_corners and rng.random() < 0.6:
        for place, (sx, sy) in _ZONES.items():
            if sx * sy and rng.random() < 0.6:
                at = (sx * shape.half_wh[0], sy * shape.half_wh[1])
                features.append(_renamed(corner("", *at, size=1.8, inward=-sx, down=-sy), f"{place} corner"))
                names.append(KeypointName(place, "corner"))
    return features, tuple(names)


def _apart(feature: Feature, others: list[Feature]) -> bool:
    """Whether no keypoint of it comes near another."""
    mine, theirs = _points(feature), [point for other in others for point in _points(other)]
    return all(np.hypot(a[0] - b[0], a[1] - b[1]) > _APART_MM for a in mine for b in theirs)


def _points(feature: Feature) -> list[Point]:
    return [(feature.at[0] + k.at[0], feature.at[1] + k.at[1]) for k in feature.keypoints]


def _inside(rng: Random, shape: PartShape, place: str, kind: str) -> tuple[Feature, tuple[KeypointName, ...]] | None:
    sx, sy = _ZONES[place]
    w, h = shape.half_wh
    x = float((sx * shape.reach + rng.uniform(-0.08, 0.08)) * w)
    y = float((sy * shape.reach + rng.uniform(-0.08, 0.08)) * h)
    made, clear = _INNER[kind](rng, place, x, y)
    around = np.array([(x + dx * clear, y + dy * clear) for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (0, 0))])
    inside = shape.outline.contains(around)
    if shape.opening is not None:
        inside &= ~shape.opening.contains(around)
    if not inside.all():
        return None
    ends = {"slot": 2}.get(kind, 1)
    if ends == 1:
        return made, (KeypointName(place, kind),)
    upright = made.keypoints[0].at[0] == made.keypoints[1].at[0]
    both = ("upper", "lower") if upright else ("left", "right")
    return made, tuple(KeypointName(place, kind, end) for end in both)


def _hole(rng: Random, place: str, x: float, y: float) -> tuple[Feature, float]:
    r = float(rng.uniform(1.5, 2.1))
    return hole(f"{place} hole", x, y, r), r + 1.0


def _large_hole(rng: Random, place: str, x: float, y: float) -> tuple[Feature, float]:
    r = float(rng.uniform(3.6, 5.0))
    return _renamed(hole("", x, y, r), f"{place} large hole"), r + 1.0


def _screw_hole(rng: Random, place: str, x: float, y: float) -> tuple[Feature, float]:
    r = float(rng.uniform(1.7, 2.3))
    return countersunk(f"{place} screw hole", x, y, r), 1.8 * r + 0.8


def _slot(rng: Random, place: str, x: float, y: float) -> tuple[Feature, float]:
    half, r = float(rng.uniform(3.5, 5.0)), float(rng.uniform(1.2, 1.8))
    if rng.random() < 0.6:
        start, end, ends = (x - half, y), (x + half, y), ("left", "right")
    else:
        start, end, ends = (x, y - half), (x, y + half), ("upper", "lower")
    names = (f"{place} slot {ends[0]} end", f"{place} slot {ends[1]} end")
    return slot(f"{place} slot", start, end, r, names), half + r + 0.8


def _boss(rng: Random, place: str, x: float, y: float) -> tuple[Feature, float]:
    r = float(rng.uniform(2.4, 3.4))
    layer = Layer(Process.EMBOSS, Circle(r), edge=0.8)
    name = f"{place} boss"
    return Feature(name, (x, y), (Keypoint(name, r),), (layer,)), r + 1.0


_INNER: dict[str, Callable[[Random, str, float, float], tuple[Feature, float]]] = {
    "hole": _hole,
    "large hole": _large_hole,
    "screw hole": _screw_hole,
    "slot": _slot,
    "boss": _boss,
}


def _on_edge(rng: Random, shape: PartShape, place: str) -> tuple[Feature, tuple[KeypointName, ...]] | None:
    """A notch, a tab or a pin in the middle of a side."""
    kinds = (_notched, _tabbed, _pinned)
    return kinds[rng.integers(len(kinds))](rng, shape, place)


def _edge_at(shape: PartShape, place: str) -> Point | None:
    """Where a ray from the middle leaves the part through the middle of a side."""
    sx, sy = _ZONES[place]
    steps = np.linspace(0.5, 1.1, 241)
    ray = steps[:, None] * np.array((sx * shape.half_wh[0], sy * shape.half_wh[1]))
    inside = shape.outline.contains(ray)
    if not inside[0] or inside[-1]:
        return None
    last = ray[np.flatnonzero(inside)[-1]]
    return float(last[0]), float(last[1])


def _notched(rng: Random, shape: PartShape, place: str) -> tuple[Feature, tuple[KeypointName, ...]] | None:
    at, (sx, sy) = _edge_at(shape, place), _ZONES[place]
    if at is None:
        return None
    half, depth = float(rng.uniform(2.2, 3.4)), float(rng.uniform(3.4, 5.0))
    name = f"{place} notch"
    if sx == 0:
        made = notch(name, *at, half_width=half, depth=depth, up=sy > 0)
    else:
        cut = Polygon(((-sx * depth, 0.0), (sx * 0.5 * depth, half * 1.43), (sx * 0.5 * depth, -half * 1.43)))
        made = Feature(name, at, (Keypoint(name, 1.8, (-sx * depth, 0.0)),), (Layer(Process.CUT, cut, edge=0.4),))
    return made, (KeypointName(place, "notch"),)


def _tabbed(rng: Random, shape: PartShape, place: str) -> tuple[Feature, tuple[KeypointName, ...]] | None:
    at, (sx, sy) = _edge_at(shape, place), _ZONES[place]
    if at is None:
        return None
    out, r = float(rng.uniform(2.5, 6.0)), float(rng.uniform(2.8, 4.0))
    made = tab(
        f"{place} tab",
        (at[0] + sx * out, at[1] + sy * out),
        (at[0] - sx * 4.0, at[1] - sy * 4.0),
        radius=r,
        eye=float(rng.uniform(0.35, 0.5)) * r,
    )
    return made, (KeypointName(place, "tab"),)


def _pinned(rng: Random, shape: PartShape, place: str) -> tuple[Feature, tuple[KeypointName, ...]] | None:
    at, (sx, sy) = _edge_at(shape, place), _ZONES[place]
    if at is None:
        return None
    out, r = float(rng.uniform(5.0, 9.0)), float(rng.uniform(0.8, 1.3))
    blade = Capsule((-4.0 * sx, -4.0 * sy), (sx * out, sy * out), r)
    name = f"{place} pin"
    layer = Layer(Process.ADD, blade, edge=0.6 * r, gain=float(rng.uniform(1.05, 1.3)))
    return Feature(name, at, (Keypoint(name, 1.8, (sx * (out + r), sy * (out + r))),), (layer,)), (
        KeypointName(place, "pin"),
    )


def _renamed(feature: Feature, name: str) -> Feature:
    keypoints = tuple(Keypoint(name, k.radius, k.at) for k in feature.keypoints)
    return Feature(name, feature.at, keypoints, feature.layers, feature.missing, feature.essential)


def _opening(shape: PartShape) -> tuple[Feature, ...]:
    if shape.opening is None:
        return ()
    return (Feature("opening", (0.0, 0.0), (), (Layer(Process.CUT, shape.opening),), essential=True),)


def _decoration(rng: Random, shape: PartShape) -> tuple[Layer, ...]:
    """Ribs and panels that carry no keypoint."""
    layers = []
    w, h = shape.half_wh
    for _ in range(int(rng.integers(0, 3))):
        x, y = float(rng.uniform(-0.4, 0.4) * w), float(rng.uniform(-0.4, 0.4) * h)
        long, wide = float(rng.uniform(2.0, 7.0)), float(rng.uniform(0.8, 2.0))
        panel = (
            box(x - long, y - wide, x + long, y + wide, 0.5)
            if rng.random() < 0.5
            else Capsule((x, y - long), (x, y), wide)
        )
        layers.append(Layer(Process.EMBOSS if rng.random() < 0.5 else Process.SINK, panel, edge=0.5))
    return tuple(layers)


def _loose(rng: Random, features: list[Feature]) -> tuple[Dimension, ...]:
    """Features move a little from part to part."""
    first = [keypoint.name for feature in features for keypoint in feature.keypoints][:2]
    if len(first) < 2:
        return ()
    moves = {feature.name: (float(rng.uniform(-1, 1)), float(rng.uniform(-1, 1))) for feature in features}
    return (Dimension("loose", (first[0], first[1]), 1.0, 0.6, moves),)
