"""Plane shapes in millimetres and their signed distance, exact enough for sub-pixel truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Grid = NDArray[np.float64]


class Shape(Protocol):
    """A closed plane shape; x to the right, y down, millimetres."""

    def distance_mm(self, x_mm: Grid, y_mm: Grid) -> Grid:
        """Signed distance to the boundary, negative inside, shape (len(y_mm), len(x_mm)).

        The axes ``x_mm`` and ``y_mm`` are evenly spaced.
        """
        ...

    def outline_mm(self) -> NDArray[np.float64]:
        """Points of the shape, (N, 2), whose extremes are its extremes within 0.2% of its size."""
        ...

    def contains(self, xy_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the points (N, 2) lie inside."""
        ...


@dataclass(frozen=True)
class Circle:
    """A disc around the origin of its feature, or around ``at``."""

    radius: float
    at: Point = (0.0, 0.0)

    def distance_mm(self, x_mm: Grid, y_mm: Grid) -> Grid:
        """See `Shape`."""
        return np.hypot(x_mm[None, :] - self.at[0], y_mm[:, None] - self.at[1]) - self.radius

    def outline_mm(self) -> NDArray[np.float64]:
        """See `Shape`."""
        turn = np.linspace(0.0, 2 * math.pi, 96, endpoint=False)
        return np.stack([self.at[0] + self.radius * np.cos(turn), self.at[1] + self.radius * np.sin(turn)], axis=1)

    def contains(self, xy_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """See `Shape`."""
        return np.hypot(xy_mm[:, 0] - self.at[0], xy_mm[:, 1] - self.at[1]) < self.radius


@dataclass(frozen=True)
class Capsule:
    """All points within ``radius`` of the segment from ``start`` to ``end``: a slot, a round pin."""

    start: Point
    end: Point
    radius: float

    def distance_mm(self, x_mm: Grid, y_mm: Grid) -> Grid:
        """See `Shape`."""
        return _segment_distance(x_mm, y_mm, self.start, self.end) - self.radius

    def outline_mm(self) -> NDArray[np.float64]:
        """See `Shape`."""
        return np.concatenate([Circle(self.radius, end).outline_mm() for end in (self.start, self.end)])

    def contains(self, xy_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """See `Shape`."""
        start, end = np.asarray(self.start), np.asarray(self.end)
        axis = end - start
        along = np.clip((xy_mm - start) @ axis / max(float(axis @ axis), 1e-12), 0.0, 1.0)
        away = xy_mm - start - along[:, None] * axis
        return np.asarray(np.hypot(away[:, 0], away[:, 1]) < self.radius)


@dataclass(frozen=True)
class Polygon:
    """A simple polygon. Distances beyond ``band`` are only bounded by it: the sign stays right."""

    points: tuple[Point, ...]
    band: float = 2.0

    def distance_mm(self, x_mm: Grid, y_mm: Grid) -> Grid:
        """See `Shape`."""
        distance = np.full((len(y_mm), len(x_mm)), self.band)
        for start, end in self._edges():
            columns = _within(x_mm, start[0], end[0], self.band)
            rows = _within(y_mm, start[1], end[1], self.band)
            near = _segment_distance(x_mm[columns], y_mm[rows], start, end)
            np.minimum(distance[rows, columns], near, out=distance[rows, columns])
        return np.where(self._inside(x_mm, y_mm), -distance, distance)

    def outline_mm(self) -> NDArray[np.float64]:
        """See `Shape`."""
        return np.asarray(self.points, dtype=np.float64)

    def contains(self, xy_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """See `Shape`; by the even-odd rule."""
        result = np.zeros(len(xy_mm), bool)
        for (x0, y0), (x1, y1) in self._edges():
            if y0 != y1:
                spans = (xy_mm[:, 1] >= min(y0, y1)) & (xy_mm[:, 1] < max(y0, y1))
                result ^= spans & (xy_mm[:, 0] >= x0 + (xy_mm[:, 1] - y0) * (x1 - x0) / (y1 - y0))
        return result

    def _edges(self) -> list[tuple[Point, Point]]:
        return list(zip(self.points, (*self.points[1:], self.points[0]), strict=True))

    def _inside(self, x_mm: Grid, y_mm: Grid) -> NDArray[np.bool_]:
        """Even-odd rule: every edge toggles all grid points to the right of where it crosses their row."""
        toggles = np.zeros((len(y_mm), len(x_mm) + 1), dtype=np.int32)
        for (x0, y0), (x1, y1) in self._edges():
            if y0 == y1:
                continue
            rows = np.flatnonzero((y_mm >= min(y0, y1)) & (y_mm < max(y0, y1)))
            crossing = x0 + (y_mm[rows] - y0) * (x1 - x0) / (y1 - y0)
            np.add.at(toggles, (rows, np.searchsorted(x_mm, crossing)), 1)
        return (np.cumsum(toggles[:, :-1], axis=1) & 1).astype(np.bool_)


def rounded(points: tuple[Point, ...], radii: float | tuple[float, ...], steps: int = 10) -> Polygon:
    """A polygon whose corner i is rounded by ``radii[i]`` (or by one radius for all); 0 leaves it sharp."""
    each = (radii,) * len(points) if isinstance(radii, float | int) else radii
    result: list[Point] = []
    for index, (corner, radius) in enumerate(zip(points, each, strict=True)):
        if radius <= 0.0:
            result.append(corner)
            continue
        before, here, after = (np.asarray(p) for p in (points[index - 1], corner, points[(index + 1) % len(points)]))
        to_before, to_after = _unit(before - here), _unit(after - here)
        half = math.acos(float(np.clip(to_before @ to_after, -1.0, 1.0))) / 2
        centre = here + _unit(to_before + to_after) * radius / math.sin(half)
        first = here + to_before * radius / math.tan(half)
        last = here + to_after * radius / math.tan(half)
        angle = math.atan2(*(first - centre)[::-1])
        sweep = math.remainder(math.atan2(*(last - centre)[::-1]) - angle, 2 * math.pi)
        turns = np.linspace(angle, angle + sweep, steps)
        arc = centre + radius * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        result.extend((float(x), float(y)) for x, y in arc)
    return Polygon(tuple(result))


def box(x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> Polygon:
    """An upright rectangle with rounded corners."""
    return rounded(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), radius)


def _segment_distance(x_mm: Grid, y_mm: Grid, start: Point, end: Point) -> Grid:
    dx, dy = end[0] - start[0], end[1] - start[1]
    x, y = x_mm[None, :] - start[0], y_mm[:, None] - start[1]
    along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-12), 0.0, 1.0)
    return np.hypot(x - along * dx, y - along * dy)


def _within(axis_mm: Grid, first: float, last: float, margin: float) -> slice:
    low, high = min(first, last) - margin, max(first, last) + margin
    return slice(int(np.searchsorted(axis_mm, low)), int(np.searchsorted(axis_mm, high)))


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / max(float(np.hypot(*vector)), 1e-12)
