"""Scratches: a groove with ridges, whose flanks are bright or dark as they lean to the lamp."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.defects.mark import FineGrid, Kind, Mark, Points, on_metal, relit
from simulator.defects.unevenness import wavering
from simulator.defects.workpiece import Floats, Workpiece

WIDTH_PX = (0.7, 4.0)
_LENGTH_PX = (14.0, 260.0)
_FINE = 4
_THINNEST_PX = 1.2  # a mask of a line is at least so wide, or it would fall apart between pixel centres
_GROOVE = 0.72  # of the half width; the rest is the ridge
_LEAST_PRESSURE = 0.15  # of what pressed hardest: less leaves no trace


@dataclass(frozen=True)
class _Stroke:
    """One pass of the tool: points 1 px apart, and at each of them half the width and how hard it pressed (0..1)."""

    path: Points
    half_px: NDArray[np.float64]
    pressure: NDArray[np.float64]
    sheen: NDArray[np.float64]  # of the ground: above 0 freshly cut, below 0 dirty


def sample_scratch(rng: np.random.Generator, work: Workpiece, spot: tuple[float, float]) -> Mark | None:
    """A scratch through ``spot`` (px of the image), or a scuff of several; None if it leaves the window."""
    strokes = _strokes(rng, spot)
    widest = max(float(stroke.half_px.max()) for stroke in strokes)
    grid = FineGrid.around(work, np.concatenate([stroke.path for stroke in strokes]), widest + 2.0, _FINE)
    if grid is None:
        return None
    slope, ridge = float(rng.uniform(0.25, 0.95)), float(rng.uniform(0.0, 0.8))
    steepness = grid.spread(work.cut(work.steepness, grid.box))
    factor = np.ones(grid.shape, np.float32)
    inside = np.zeros(grid.shape, bool)
    for stroke in strokes:
        _engrave(grid, stroke, work, (slope, ridge), (steepness, factor, inside))
    return on_metal(Kind.SCRATCH, work, grid, factor, inside, reach_px=widest + 1.5)


def _strokes(rng: np.random.Generator, spot: tuple[float, float]) -> list[_Stroke]:
    width = math.exp(rng.uniform(*np.log(WIDTH_PX)))
    length = math.exp(rng.uniform(*np.log(_LENGTH_PX)))
    if width > 2.4:  # gouges are short
        length = min(length, 30.0 * width)
    first = _path(rng, spot, length)
    count = 1 if rng.random() < 0.85 else int(rng.integers(2, 5))
    if count > 1:  # a scuff: fine lines side by side
        width = min(width, 1.6)
    sheen = float(rng.uniform(0.12, 0.65) if rng.random() < 0.5 else -rng.uniform(0.15, 0.6))
    gap = rng.uniform(2.5, 7.0)
    strokes = []
    for number in range(count):
        path = first if number == 0 else _beside(rng, first, gap * number)
        points = len(path)
        pressure = _pressure(rng, points)
        waver = 1.0 + 0.15 * wavering(rng, points, 12.0)
        half = 0.5 * width * np.clip(waver * (0.55 + 0.45 * pressure), 0.3, 1.4)
        streak = sheen * np.clip(1.0 + 0.35 * wavering(rng, points, 9.0), 0.2, 1.8)
        strokes.append(_Stroke(path, half, pressure, streak))
    return strokes


def _path(rng: np.random.Generator, spot: tuple[float, float], length: float) -> Points:
    """Points 1 px apart: straight, an arc, or wandering; ``spot`` lies in the middle."""
    points = max(int(length), 8)
    heading = np.full(points, rng.uniform(0.0, 2 * math.pi))
    sort = rng.random()
    if sort > 0.45:
        heading += np.arange(points) * rng.choice((-1, 1)) / rng.uniform(70.0, 600.0)
    if sort > 0.75:
        heading += 0.22 * wavering(rng, points, max(points / 4, 12.0))
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1).cumsum(axis=0)
    return np.asarray(steps - steps[points // 2] + spot)


def _beside(rng: np.random.Generator, path: Points, gap_px: float) -> Points:
    """Another stroke of the same movement: ``gap_px`` to the side, cut off and turned a little."""
    start = int(rng.uniform(0.0, 0.35) * len(path))
    end = len(path) - int(rng.uniform(0.0, 0.35) * len(path))
    piece = path[start : max(end, start + 8)]
    along = piece[-1] - piece[0]
    across = np.array((-along[1], along[0])) / max(float(np.hypot(*along)), 1e-9)
    turn = math.radians(rng.normal(0.0, 1.5))
    turned = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    middle = piece[len(piece) // 2]
    return np.asarray((piece - middle) @ turned + middle + across * gap_px)


def _pressure(rng: np.random.Generator, points: int) -> NDArray[np.float64]:
    """How hard the tool pressed, 0..1: it comes, goes, wavers, and in one scratch of three jumps."""
    t = np.linspace(0.0, 1.0, points)
    enter, leave = rng.uniform(0.02, 0.35, 2)
    pressure = np.sqrt(np.clip(t / enter, 0.0, 1.0) * np.clip((1.0 - t) / leave, 0.0, 1.0))
    pressure *= np.clip(1.0 + 0.2 * wavering(rng, points, 15.0), 0.3, 1.5)
    if rng.random() < 0.35:
        pressure *= np.clip(0.5 + 2.5 * (wavering(rng, points, max(points / 9, 7.0)) + 0.35), 0.0, 1.0)
    return np.asarray(np.clip(pressure / max(float(pressure.max()), 1e-9), 0.0, 1.0))


def _engrave(
    grid: FineGrid,
    stroke: _Stroke,
    work: Workpiece,
    shape: tuple[float, float],
    planes: tuple[Floats, Floats, NDArray[np.bool_]],
) -> None:
    """Light one stroke on the fine planes (steepness, factor, inside), in place; ``shape``: slope and ridge."""
    (slope, ridge), (steepness, factor, inside) = shape, planes
    rows, columns, nearest, across_px, normals = _band(grid, stroke)
    half, pressure = stroke.half_px[nearest], stroke.pressure[nearest]
    u = across_px / half
    depth = np.abs(u)
    groove = -np.sin(np.pi * np.clip(u / _GROOVE, -1.0, 1.0))
    bank = np.clip((depth - _GROOVE) / (1.0 - _GROOVE), 0.0, 1.0)
    profile = slope * pressure * (groove - ridge * np.sign(u) * np.sin(2 * np.pi * bank))
    towards = normals @ np.asarray(work.scene.light)
    ground = np.sqrt(np.clip(1.0 - (u / 1.05) ** 2, 0.0, 1.0))
    gain = 1.0 + stroke.sheen[nearest] * pressure * ground
    at = (rows, columns)
    factor[at] *= relit(steepness[at], (profile * towards).astype(np.float32), gain.astype(np.float32))
    marked = (np.abs(across_px) <= np.maximum(half, _THINNEST_PX / 2)) & (pressure > _LEAST_PRESSURE)
    inside[rows[marked], columns[marked]] = True


def _band(
    grid: FineGrid, stroke: _Stroke
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.float64], Points]:
    """Sub-pixels near the stroke: row, column, number of the nearest point, offset across the path in px, normals."""
    reach = max(float(stroke.half_px.max()), _THINNEST_PX / 2) + 0.5
    number = np.zeros(grid.shape, np.float32)
    fixed = np.rint(grid.to_grid(stroke.path) * 16).astype(int).tolist()
    for index, (first, last) in enumerate(itertools.pairwise(fixed)):
        cv2.line(number, first, last, index + 1.0, round(2 * reach * grid.fine), cv2.LINE_8, 4)
    rows, columns = np.nonzero(number)
    nearest = number[rows, columns].astype(np.intp) - 1
    tangents = np.gradient(stroke.path, axis=0)
    tangents /= np.maximum(np.hypot(*tangents.T), 1e-9)[:, None]
    x, y = grid.axes()
    xy = np.stack([x[0, columns], y[rows, 0]], axis=1).astype(np.float64)
    for _ in range(2):  # lines drawn later lie over the end of those drawn before: walk back to the nearest point
        ahead = ((xy - stroke.path[nearest]) * tangents[nearest]).sum(axis=1)
        nearest = np.clip(nearest + np.rint(ahead).astype(np.intp), 0, len(stroke.path) - 1)
    offset = xy - stroke.path[nearest]
    normals = np.stack([-tangents[nearest, 1], tangents[nearest, 0]], axis=1)
    ahead, across = (offset * tangents[nearest]).sum(axis=1), (offset * normals).sum(axis=1)
    near = (np.abs(ahead) <= 0.75) & (np.abs(across) <= reach)
    return rows[near], columns[near], nearest[near], across[near], normals[near]
