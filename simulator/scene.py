"""Everything that chance decides about one frame, before anything is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from simulator.parts import Blueprint, Dimension
from simulator.shape import Point

LEAST_BLUR_PX = 0.15  # a lens that blurs less is taken as sharp


class Occlusion(Enum):
    """How much is in the way of the camera."""

    NONE = "none"  # nothing in the way; few features missing: a line as it should run
    SPARSE = "sparse"  # something in the way on one part in six
    ORDINARY = "ordinary"  # the training set: about a quarter of the keypoints hidden or missing
    HEAVY = "heavy"  # 25 to 40% of the part covered


@dataclass(frozen=True)
class Scene:
    """Pose, light, camera and the condition of the part.

    Attributes:
        centre_px: where the part's origin lies in the image, pixel centres.
        light: unit vector in the image that points to the lamp.
        shifts: shift in mm by feature, the sum over all deviating dimensions.
        missing: features that were not made.
    """

    rotation_deg: float
    centre_px: Point
    light: Point
    gradient: Point
    hot_spot: tuple[float, float, float]
    metal_grey: float
    contrast: float
    brightness: float
    blur_px: float
    noise_levels: float
    shifts: dict[str, Point]
    missing: frozenset[str]


_MISSING_SHARE = {Occlusion.NONE: 0.004, Occlusion.SPARSE: 0.004, Occlusion.ORDINARY: 0.075, Occlusion.HEAVY: 0.06}
_OUT_OF_TOLERANCE_SHARE = 0.1


def sample_scene(
    blueprint: Blueprint, rng: np.random.Generator, occlusion: Occlusion, *, width: int, height: int
) -> Scene:
    """Draw one scene. The part's centre varies by ±13% of the width and ±9% of the height."""
    towards = rng.uniform(0.0, 2 * math.pi)
    tilt = rng.uniform(-0.14, 0.14, 2)
    return Scene(
        rotation_deg=float(rng.uniform(-35.0, 35.0)),
        centre_px=(
            float((width - 1) / 2 + rng.uniform(-0.13, 0.13) * width),
            float((height - 1) / 2 + rng.uniform(-0.09, 0.09) * height),
        ),
        light=(math.cos(towards), math.sin(towards)),
        gradient=(float(tilt[0]), float(tilt[1])),
        hot_spot=(float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.0, 0.28))),
        metal_grey=float(rng.uniform(132.0, 176.0)),
        contrast=float(rng.uniform(0.3, 1.0)),
        brightness=float(rng.uniform(-14.0, 14.0)),
        blur_px=float(rng.uniform(0.0, 1.5)),
        noise_levels=float(rng.uniform(2.0, 8.0)),
        shifts=_shifts(blueprint.dimensions, rng),
        missing=frozenset(
            feature.name
            for feature in blueprint.features
            if rng.random() < _MISSING_SHARE[occlusion] and not feature.essential
        ),
    )


def _shifts(dimensions: tuple[Dimension, ...], rng: np.random.Generator) -> dict[str, Point]:
    """Manufacturing: most parts well within tolerance, one in ten with one dimension clearly outside."""
    moving = [dimension for dimension in dimensions if dimension.moves]
    faulty = int(rng.integers(len(moving))) if moving and rng.random() < _OUT_OF_TOLERANCE_SHARE else -1
    shifts: dict[str, Point] = {}
    for index, dimension in enumerate(moving):
        deviation = float(np.clip(rng.normal(0.0, 0.15), -0.5, 0.5))
        if index == faulty:
            deviation = float(rng.choice((-1, 1)) * rng.uniform(1.5, 2.8))
        for feature, (dx, dy) in dimension.moves.items():
            x, y = shifts.get(feature, (0.0, 0.0))
            shifts[feature] = (x + dx * deviation * dimension.tolerance, y + dy * deviation * dimension.tolerance)
    return shifts
