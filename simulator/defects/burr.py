"""Burrs: material that sticks out of an outline: a ragged feather, a chip that still hangs on, a lump."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.defects.mark import FineGrid, Kind, Mark, Points
from simulator.defects.unevenness import cloud, wavering
from simulator.defects.workpiece import REACH, Floats, Workpiece
from simulator.light import glint

_FINE = 4
_SHIFT = 4
_LONGEST_PX = 56.0  # along the outline
_ROOT_PX = 1.2  # how far it reaches into the part, so that no seam shows


@dataclass(frozen=True)
class _Edge:
    """A piece of an outline: points about 1 px apart and the normals there, away from the metal."""

    points: Points
    normals: Points


def sample_burr(rng: np.random.Generator, work: Workpiece) -> Mark | None:
    """A burr somewhere on an outline that is seen; None if there is none where it was looked for."""
    edge = _edge(rng, work)
    if edge is None:
        return None
    polygon = _SORTS[int(rng.integers(len(_SORTS)))](rng, edge)
    grid = FineGrid.around(work, polygon, 2.0, _FINE)
    if grid is None:
        return None
    inside = _filled(grid, polygon)
    picture = work.cut(work.picture, grid.box)
    grey = _lit(rng, work, grid, inside)
    change = grid.pooled((grey - grid.spread(picture)) * inside)
    return Mark(Kind.BURR, grid.box, change, grid.pooled(inside) >= 0.5, reach_px=1.5)


def _edge(rng: np.random.Generator, work: Workpiece) -> _Edge | None:
    """A random piece of the part's outline, or of a hole's, that no occluder covers."""
    metal = (work.solid > 0.5).astype(np.uint8)
    outlines, _ = cv2.findContours(metal, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    lengths = np.array([len(outline) for outline in outlines], np.float64)
    if not len(lengths) or lengths.max() < 24:
        return None
    lengths[lengths < 24] = 0.0
    outline = outlines[int(rng.choice(len(outlines), p=lengths / lengths.sum()))].reshape(-1, 2)
    length = min(int(_LONGEST_PX) + 9, len(outline) // 2)
    piece = np.roll(outline, -int(rng.integers(len(outline))), axis=0)[:length]
    height, width = metal.shape
    margin = 6
    within = (piece >= margin).all() and (piece < (width - margin, height - margin)).all()
    if not within or work.seen[piece[:, 1], piece[:, 0]].mean() < 0.9:
        return None
    kernel = np.exp(-0.5 * (np.arange(-4, 5) / 2.0) ** 2)
    smooth = np.stack([np.convolve(piece[:, axis], kernel / kernel.sum(), "valid") for axis in (0, 1)], axis=1)
    tangents = np.gradient(smooth, axis=0)
    tangents /= np.maximum(np.hypot(*tangents.T), 1e-9)[:, None]
    normals = np.stack([-tangents[:, 1], tangents[:, 0]], axis=1)
    middle = len(smooth) // 2
    x, y = np.rint(smooth[middle] + 3.0 * normals[middle]).astype(int)
    if metal[y, x]:
        normals = -normals
    return _Edge(smooth + 0.5 * normals + work.box[:2], normals)  # contours run through the outermost metal pixels


def _feather(rng: np.random.Generator, edge: _Edge) -> Points:
    """What a worn punch or a mill leaves: a thin ragged fringe along the edge."""
    count = min(len(edge.points), int(rng.uniform(10.0, _LONGEST_PX)))
    points, normals = edge.points[:count], edge.normals[:count]
    t = np.linspace(0.0, 1.0, count)
    envelope = np.clip(np.minimum(t, 1.0 - t) / rng.uniform(0.1, 0.45), 0.0, 1.0)
    height = math.exp(rng.uniform(math.log(1.3), math.log(8.0)))
    ragged = 0.75 + 0.4 * wavering(rng, count, 6.0) + 0.3 * wavering(rng, count, 2.0)
    out = height * envelope * np.clip(ragged, 0.12, 1.8)
    lean = rng.normal(0.0, 0.35) * out  # teeth point along the feed
    tangents = np.stack([normals[:, 1], -normals[:, 0]], axis=1)
    crest = points + normals * out[:, None] + tangents * lean[:, None]
    return np.concatenate([crest, (points - _ROOT_PX * normals * envelope[:, None])[::-1]])


def _chip(rng: np.random.Generator, edge: _Edge) -> Points:
    """A sliver that hangs on by its root: it tapers and curls."""
    root = len(edge.points) // 2
    normal = edge.normals[root]
    length = int(rng.uniform(6.0, REACH - 6.0))
    heading = math.atan2(normal[1], normal[0]) + rng.uniform(-0.9, 0.9)
    curl = rng.normal(0.0, 0.9) / length
    headings = heading + curl * np.arange(length + 3) + 0.1 * wavering(rng, length + 3, 5.0)
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=1)
    spine = edge.points[root] - 2.0 * steps[0] + steps.cumsum(axis=0)
    half = rng.uniform(0.8, 2.4) * np.linspace(1.0, 0.15, length + 3) ** 0.7
    half *= np.clip(1.0 + 0.25 * wavering(rng, length + 3, 4.0), 0.4, 1.6)
    across = np.stack([-steps[:, 1], steps[:, 0]], axis=1) * half[:, None]
    return np.concatenate([spine + across, (spine - across)[::-1]])


def _lump(rng: np.random.Generator, edge: _Edge) -> Points:
    """A bead of metal that was squeezed out or splashed on."""
    root = len(edge.points) // 2
    wide = math.exp(rng.uniform(math.log(2.2), math.log(9.0)))
    centre = edge.points[root] + edge.normals[root] * wide * rng.uniform(0.0, 0.5)
    turn = np.linspace(0.0, 2 * math.pi, 64, endpoint=False)
    radius = np.full_like(turn, wide)
    for lobe in (2, 3, 5):
        radius += wide * rng.normal(0.0, 0.25 / lobe) * np.cos(lobe * turn + rng.uniform(0.0, 2 * math.pi))
    ring = np.stack([np.cos(turn), np.sin(turn) * rng.uniform(0.6, 1.0)], axis=1) * radius[:, None]
    along = np.stack([[edge.normals[root, 1], -edge.normals[root, 0]], edge.normals[root]])
    return np.asarray(centre + ring @ along)


def _filled(grid: FineGrid, polygon: Points) -> NDArray[np.bool_]:
    plane = np.zeros(grid.shape, np.uint8)
    fixed = np.rint(grid.to_grid(polygon) * (1 << _SHIFT)).astype(np.int32).reshape(-1, 1, 2)
    cv2.fillPoly(plane, [fixed], (1,), cv2.LINE_8, _SHIFT)
    return plane.astype(bool)


def _lit(rng: np.random.Generator, work: Workpiece, grid: FineGrid, inside: NDArray[np.bool_]) -> Floats:
    """Grey levels on the fine grid: torn metal, round at its rim and facetted, in the frame's light."""
    rim = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5) / _FINE
    height = np.sqrt(np.minimum(np.asarray(rim, np.float32), 4.0) + 0.05)
    height = cv2.GaussianBlur(height, (0, 0), 0.35 * _FINE) + 0.3 * cloud(rng, grid.shape, 3.0 * _FINE)
    grad_y, grad_x = np.gradient(height, 1.0 / _FINE)
    lamp_x, lamp_y = work.scene.light
    steepness = np.clip(-(grad_x * lamp_x + grad_y * lamp_y), -0.9, 0.9).astype(np.float32)
    shine = float(rng.uniform(0.7, 1.35)) * (1.0 + 0.08 * cloud(rng, grid.shape, 1.0 * _FINE))
    light = grid.spread(work.cut(work.light, grid.box))
    grey = np.clip(work.scene.metal_grey * shine * light * glint(steepness), 0.0, 255.0)
    return np.asarray(grey, dtype=np.float32)


_SORTS: tuple[Callable[[np.random.Generator, _Edge], Points], ...] = (_feather, _feather, _chip, _lump)
