"""The quantities of a recipe as functions of points, lines and circles, over any number of variations of these at once."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Points
from pipeline.recipe_measure import DatumSettings, Line, MeasureSettings
from pipeline.stages.datum import datum_axes, direction

Values = NDArray[np.float64]  # (B,)
_REFINEMENTS = 4  # of a circle through more than three points


@dataclass(frozen=True, slots=True)
class Shapes:
    """What is measured: B variations of every shape, by name. A point (B, 2), a circle (B, 3), a line (B, 4)."""

    by_name: Mapping[str, NDArray[np.float64]]

    def point(self, name: str) -> Points:
        """(B, 2), of a circle its centre."""
        return self.by_name[name][:, :2]

    def points(self, names: list[str]) -> Points:
        """(B, N, 2)."""
        return np.stack([self.point(name) for name in names], axis=1)

    def is_line(self, end: Line) -> bool:
        """Whether a line is meant."""
        return isinstance(end, tuple) or self.by_name[end].shape[1] == 4

    def line(self, end: Line) -> tuple[Points, Points]:
        """Both ends, (B, 2) each."""
        if isinstance(end, tuple):
            return self.point(end[0]), self.point(end[1])
        return self.by_name[end][:, :2], self.by_name[end][:, 2:]


def quantity(settings: MeasureSettings, datum: DatumSettings | None, shapes: Shapes) -> Values:
    """(B,) in the unit of the shapes, its square or degrees; nan where the shapes do not define it."""
    values: Values = _KINDS[settings.kind](settings, datum, shapes)
    return values


def _distance(settings: MeasureSettings, _: DatumSettings | None, shapes: Shapes) -> Values:
    first, second = settings.distance or ("", "")
    lines = [end for end in (first, second) if shapes.is_line(end)]
    if not lines:
        return _length(shapes.point(str(second)) - shapes.point(str(first)))
    if len(lines) == 2:
        point = np.mean(shapes.line(second), axis=0)
    else:
        point = shapes.point(str(first if shapes.is_line(second) else second))
    start, end = shapes.line(lines[0])
    return np.asarray(np.abs(_cross(direction(start, end), point - start)))


def _position(settings: MeasureSettings, datum: DatumSettings | None, shapes: Shapes) -> Values:
    assert datum is not None  # noqa: S101 - the recipe was checked
    origin = shapes.point(datum.origin)
    axes = datum_axes(origin, shapes.point(datum.x_axis))
    place = np.einsum("bij,bj->bi", axes, shapes.point(settings.position or "") - origin)
    return np.asarray(2.0 * _length(place - np.asarray(settings.nominal)))


def _angle(settings: MeasureSettings, datum: DatumSettings | None, shapes: Shapes) -> Values:
    first, second = settings.angle or ("", "")
    if shapes.is_line(first):
        x_axis, along = direction(*shapes.line(first)), direction(*shapes.line(second))
    else:
        along = direction(shapes.point(str(first)), shapes.point(str(second)))
        x_axis = np.broadcast_to(np.array([1.0, 0.0]), along.shape)
        if datum is not None:
            x_axis = direction(shapes.point(datum.origin), shapes.point(datum.x_axis))
    angle = np.degrees(np.arctan2(_cross(x_axis, along), (x_axis * along).sum(axis=1)))
    nominal = settings.nominal if isinstance(settings.nominal, float) else 0.0
    return np.asarray(angle - 360.0 * np.rint((angle - nominal) / 360.0))


def _perpendicularity(settings: MeasureSettings, _: DatumSettings | None, shapes: Shapes) -> Values:
    first, second = settings.perpendicularity or ("", "")
    start, end = shapes.line(first)
    return np.asarray(np.abs((direction(*shapes.line(second)) * (end - start)).sum(axis=1)))


def _pitch(settings: MeasureSettings, _: DatumSettings | None, shapes: Shapes) -> Values:
    nominal = settings.nominal if isinstance(settings.nominal, float) else 0.0
    steps = _length(np.diff(shapes.points(settings.pitch or []), axis=1))  # (B, N-1)
    worst = int(np.argmax(np.abs(steps[0] - nominal)))  # of the part as it was found: variations are of that one
    return np.asarray(steps[:, worst])


def _circle(settings: MeasureSettings, _: DatumSettings | None, shapes: Shapes) -> Values:
    if isinstance(settings.circle, str):
        return 2.0 * shapes.by_name[settings.circle][:, 2]
    return 2.0 * _radius(shapes.points(settings.circle or []))


def _area(settings: MeasureSettings, _: DatumSettings | None, shapes: Shapes) -> Values:
    if isinstance(settings.area, str):
        return np.pi * shapes.by_name[settings.area][:, 2] ** 2
    corners = shapes.points(settings.area or [])
    local = corners - corners[:, :1]
    return np.asarray(np.abs(_cross(local, np.roll(local, -1, axis=1)).sum(axis=1)) / 2.0)


def _length(vectors: Points) -> NDArray[np.float64]:
    return np.hypot(vectors[..., 0], vectors[..., 1])


def _cross(one: Points, two: Points) -> NDArray[np.float64]:
    return np.asarray(one[..., 0] * two[..., 1] - one[..., 1] * two[..., 0])


def _radius(xy: Points) -> Values:
    """(B,), of the circle through (B, N, 2) that is nearest to the points, least squares; nan where they lie on a line."""
    local = xy - xy.mean(axis=1, keepdims=True)
    span = np.maximum(np.abs(local).max(axis=(1, 2)), 1e-300)
    local = local / span[:, None, None]
    ones = np.ones(local.shape[:2])
    rows = np.concatenate([2.0 * local, ones[..., None]], axis=2)
    found = _solved(rows, (local**2).sum(axis=2))  # Kåsa 1976
    centre, radius = found[:, :2], np.sqrt(found[:, 2] + (found[:, :2] ** 2).sum(axis=1))
    for _ in range(_REFINEMENTS):
        away = local - centre[:, None]
        distance = np.maximum(_length(away), 1e-12)
        rows = np.concatenate([away / distance[..., None], ones[..., None]], axis=2)
        step = _solved(rows, distance - radius[:, None])
        centre, radius = centre + step[:, :2], radius + step[:, 2]
    return np.asarray(radius * span)


def _solved(rows: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares of each of (B, N, 3) x = (B, N); nan where it has no single solution."""
    turned = rows.transpose(0, 2, 1)
    normal, side = turned @ rows, turned @ sides[..., None]
    is_sound = np.abs(np.linalg.det(normal)) > 1e-9 * np.maximum(np.trace(normal, axis1=1, axis2=2), 1e-300) ** 3
    safe = np.where(is_sound[:, None, None], normal, np.eye(3))
    return np.where(is_sound[:, None], np.linalg.solve(safe, side)[..., 0], np.nan)


_KINDS = {
    "distance": _distance,
    "position": _position,
    "angle": _angle,
    "perpendicularity": _perpendicularity,
    "pitch": _pitch,
    "circle": _circle,
    "area": _area,
}
