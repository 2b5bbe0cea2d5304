"""Stains: oil, drying rings, rust. Flat, of low contrast, with an outline that has run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.defects.mark import FineGrid, Kind, Mark, on_metal
from simulator.defects.unevenness import cloud
from simulator.defects.workpiece import Floats, Workpiece

RADIUS_PX = (6.0, 42.0)
_FINE = 2


@dataclass(frozen=True)
class _Coat:
    """Reflectance and extent on the fine grid, and within which distance of a changed pixel the stain goes on."""

    gain: Floats
    inside: NDArray[np.bool_]
    reach_px: float


def sample_stain(rng: np.random.Generator, work: Workpiece, spot: tuple[float, float]) -> Mark | None:
    """A stain around ``spot`` (px of the image); None if it leaves the window."""
    radius = math.exp(rng.uniform(*np.log(RADIUS_PX)))
    grid = FineGrid.around(work, np.array([spot]), 2.8 * radius + 6.0, _FINE)
    if grid is None:
        return None
    depth = _depth_px(rng, grid, spot, radius)
    coat = _SORTS[int(rng.integers(len(_SORTS)))](rng, depth, radius)
    return on_metal(Kind.STAIN, work, grid, coat.gain, coat.inside, coat.reach_px)


def _depth_px(rng: np.random.Generator, grid: FineGrid, spot: tuple[float, float], radius: float) -> Floats:
    """Distance in px from the outline, positive inside: a drop that has run, with splashes."""
    x, y = grid.axes()
    stretch, turn = rng.uniform(1.0, 1.7), rng.uniform(0.0, math.pi)
    depth = _drop(x - spot[0], y - spot[1], radius, stretch, turn)
    for _ in range(int(rng.integers(0, 4))):
        way, away = rng.uniform(0.0, 2 * math.pi), radius * rng.uniform(0.7, 1.5)
        at = (spot[0] + away * math.cos(way), spot[1] + away * math.sin(way))
        small = radius * rng.uniform(0.12, 0.45)
        depth = np.maximum(depth, _drop(x - at[0], y - at[1], small, 1.0, 0.0))
    depth += 0.2 * radius * cloud(rng, grid.shape, max(0.55 * radius, 3.0) * _FINE)
    depth += 0.05 * radius * cloud(rng, grid.shape, max(0.15 * radius, 2.0) * _FINE)
    return np.asarray(depth, dtype=np.float32)


def _drop(dx: Floats, dy: Floats, radius: float, stretch: float, turn: float) -> Floats:
    along = (dx * math.cos(turn) + dy * math.sin(turn)) / stretch
    across = (dy * math.cos(turn) - dx * math.sin(turn)) * math.sqrt(stretch)
    return np.asarray(radius - np.hypot(along, across), dtype=np.float32)


def _film(rng: np.random.Generator, depth: Floats, radius: float) -> _Coat:
    """Oil or coolant: darker, seldom lighter, about the same all over, with a soft edge."""
    cover = _eased(depth / rng.uniform(0.8, 1.2 + 0.14 * radius) + 0.5)
    strength = float(rng.uniform(0.11, 0.34) * (-1.0 if rng.random() < 0.75 else 0.8))
    uneven = 1.0 + 0.18 * cloud(rng, depth.shape, max(0.5 * radius, 3.0) * _FINE)
    return _Coat(np.asarray(1.0 + strength * cover * uneven, dtype=np.float32), cover >= 0.5, 3.0)


def _ring(rng: np.random.Generator, depth: Floats, radius: float) -> _Coat:
    """What a drop leaves when it dries: a dark rim and a veil within, all of which is the stain."""
    within = _eased(depth / 1.2 + 0.5)
    fall_off = float(rng.uniform(1.2, 2.0 + 0.1 * radius))
    rim = within * np.exp(-np.maximum(depth, 0.0) / fall_off)
    uneven = np.clip(1.0 + 0.35 * cloud(rng, depth.shape, max(0.6 * radius, 4.0) * _FINE), 0.2, 1.8)
    dark, veil = float(rng.uniform(0.16, 0.4)), float(rng.uniform(0.04, 0.14))
    return _Coat(1.0 - dark * rim * uneven - veil * within, within >= 0.5, radius)


def _rust(rng: np.random.Generator, depth: Floats, radius: float) -> _Coat:
    """Rust: dark specks, denser towards the middle, on a discoloured ground."""
    ground = _eased(depth / rng.uniform(2.0, 3.0 + 0.1 * radius) + 0.5)
    grain = 0.7 * cloud(rng, depth.shape, 2.4 * _FINE) + 0.5 * cloud(rng, depth.shape, 6.0 * _FINE)
    specks = _eased(0.9 * (grain + 1.2 * ground - 0.9)) * ground
    pale, dark = float(rng.uniform(0.06, 0.16)), float(rng.uniform(0.15, 0.42))
    return _Coat(1.0 - pale * ground - dark * specks, ground >= 0.5, 4.0)


def _eased(share: Floats) -> Floats:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(share, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)


_SORTS: tuple[Callable[[np.random.Generator, Floats, float], _Coat], ...] = (_film, _ring, _rust)
