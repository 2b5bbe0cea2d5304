"""What a part is: its outline, its features with their keypoints, and the dimensions that are measured on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from simulator.shape import Point, Shape


class Process(Enum):
    """How a layer changes the metal."""

    CUT = "cut"  # material is removed: hole, slot, notch
    ADD = "add"  # material stands on or beside the plate: pin, tab
    EMBOSS = "emboss"  # the surface rises, the material stays
    SINK = "sink"  # the surface falls, the material stays


@dataclass(frozen=True)
class Layer:
    """One shape and what is done with it.

    Attributes:
        process: how it changes the metal.
        shape: in the frame of its feature.
        edge: width of the rounded edge in mm.
        gain: reflectance, 1 is that of the plate.
        flush: an added layer that is one piece with the plate: no edge is drawn within the plate.
    """

    process: Process
    shape: Shape
    edge: float = 0.45
    gain: float = 1.0
    flush: bool = False


@dataclass(frozen=True)
class Keypoint:
    """A named point of a feature, ``at`` from its origin; ``radius`` (mm) is its patch's."""

    name: str
    radius: float
    at: Point = (0.0, 0.0)


@dataclass(frozen=True)
class Feature:
    """Something made on the part, or forgotten: ``layers`` are drawn if it is made, ``missing`` if it is not."""

    name: str
    at: Point
    keypoints: tuple[Keypoint, ...]
    layers: tuple[Layer, ...] = ()
    missing: tuple[Layer, ...] = ()
    essential: bool = False  # never forgotten


@dataclass(frozen=True)
class Dimension:
    """A dimension with its tolerance, and how features move when it deviates.

    Two points: their distance in mm. Three points (a, vertex, b): the angle at the vertex in degrees.
    ``moves`` gives for a feature's name the shift in mm per unit (mm or degree) of deviation.
    """

    name: str
    points: tuple[str, ...]
    nominal: float
    tolerance: float
    moves: dict[str, Point] = field(hash=False)

    def value(self, xy_mm: dict[str, NDArray[np.float64]]) -> float:
        """The dimension of a part whose keypoints lie at ``xy_mm`` (mm)."""
        if len(self.points) == 2:
            a, b = (xy_mm[name] for name in self.points)
            return float(np.hypot(*(b - a)))
        a, vertex, b = (xy_mm[name] for name in self.points)
        turn = math.atan2(*(b - vertex)[::-1]) - math.atan2(*(a - vertex)[::-1])
        return abs(math.degrees(math.remainder(turn, 2 * math.pi)))


@dataclass(frozen=True)
class Blueprint:
    """A family of parts. Millimetres, x to the right, y down, origin near the middle of the plate."""

    family: str
    mm_per_px: float
    outline: Shape
    features: tuple[Feature, ...]
    decoration: tuple[Layer, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    marking: str = ""  # text stamped into the plate
    marking_at: Point = (0.0, 0.0)
    edge: float = 0.55

    @property
    def keypoints(self) -> tuple[str, ...]:
        """Names of all keypoints, in the order of the truth arrays."""
        return tuple(keypoint.name for feature in self.features for keypoint in feature.keypoints)
