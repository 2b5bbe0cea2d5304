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
        """Points on the boundary, (N, 2); their extremes are those of the shape within 0.2% of its size."""
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
        return np.concatenate([Circle(self.radius, self.start).outline_mm(), Circle(self.radius, self.end).outline_mm()])


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
        for turn in np.linspace(angle, angle + sweep, steps):
            result.append((float(centre[0] + radius * math.cos(turn)), float(centre[1] + radius * math.sin(turn))))
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
