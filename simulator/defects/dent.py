"""Dents: the surface is pressed in softly, often with a raised lip; the lamp shades them, they have no colour."""

from __future__ import annotations

import math

import numpy as np

from simulator.defects.mark import FineGrid, Kind, Mark, on_metal, relit
from simulator.defects.unevenness import cloud
from simulator.defects.workpiece import Floats, Workpiece

RADIUS_PX = (4.0, 34.0)
_FINE = 2
_OUTLINE = 0.95  # of the radius: beyond, the slope has run out


def sample_dent(rng: np.random.Generator, work: Workpiece, spot: tuple[float, float]) -> Mark | None:
    """A dent around ``spot`` (px of the image); None if it leaves the window."""
    radius = math.exp(rng.uniform(*np.log(RADIUS_PX)))
    longest = radius * (rng.uniform(1.0, 1.6) if rng.random() < 0.75 else rng.uniform(1.6, 3.2))
    grid = FineGrid.around(work, np.array([spot]), 1.5 * longest + 3.0, _FINE)
    if grid is None:
        return None
    distance = _distance(rng, grid, spot, (longest, radius))
    # Small dings are sharp; a wide dent is shallow, or the sheet would be torn.
    slope = float(rng.uniform(0.22, 0.85)) * (1.0 if radius < 10.0 else (10.0 / radius) ** 0.35)
    height = radius * slope * _profile(rng, distance)
    grad_y, grad_x = np.gradient(height, 1.0 / _FINE)
    lamp_x, lamp_y = work.scene.light
    more = (-grad_x * lamp_x - grad_y * lamp_y).astype(np.float32)
    crushed = np.clip(1.3 - distance, 0.0, 1.0).astype(np.float32)  # what hit it has left its grain there
    rough = 0.05 * crushed * cloud(rng, grid.shape, 2.0 * _FINE)
    gain = 1.0 + rough - float(rng.uniform(-0.03, 0.12)) * crushed
    factor = relit(grid.spread(work.cut(work.steepness, grid.box)), more, gain.astype(np.float32))
    return on_metal(Kind.DENT, work, grid, factor, distance <= _OUTLINE, reach_px=0.75 * radius)


def _distance(
    rng: np.random.Generator, grid: FineGrid, spot: tuple[float, float], radii: tuple[float, float]
) -> Floats:
    """Distance from the middle, 1 on the outline: an ellipse whose radius wavers."""
    turn = rng.uniform(0.0, math.pi)
    x, y = grid.axes()
    dx, dy = x - spot[0], y - spot[1]
    along = (dx * math.cos(turn) + dy * math.sin(turn)) / radii[0]
    across = (dy * math.cos(turn) - dx * math.sin(turn)) / radii[1]
    angle = np.arctan2(across, along)
    outline = np.ones(grid.shape, np.float32)
    for lobe in (2, 3, 4):
        outline += rng.normal(0.0, 0.12 / lobe) * np.cos(lobe * angle + rng.uniform(0.0, 2 * math.pi))
    return np.asarray(np.hypot(along, across) / outline, dtype=np.float32)


def _profile(rng: np.random.Generator, distance: Floats) -> Floats:
    """Height over the plate with a steepest slope of about 1 per radius: a bowl or a pan, and perhaps a lip."""
    if rng.random() < 0.6:
        bowl = -0.65 * np.clip(1.0 - distance**2, 0.0, None) ** 2
    else:  # flat bottom, steep wall
        wall = rng.uniform(0.35, 0.7)
        t = np.clip((1.0 - distance) / wall, 0.0, 1.0)
        bowl = -0.66 * wall * t * t * (3.0 - 2.0 * t)
    lip = float(rng.uniform(0.0, 0.09)) * np.exp(-(((distance - 1.0) / 0.16) ** 2))
    return np.asarray(bowl + lip, dtype=np.float32)
