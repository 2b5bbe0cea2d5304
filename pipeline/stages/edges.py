"""Edges of a part to a fraction of a pixel: calipers about where the keypoints say, and a robust fit through what they find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.geometry import Points
from pipeline.pixels import grey8
from pipeline.plane_map import PlaneMap
from pipeline.planes import ViewPlane, planes_of
from pipeline.recipe_file import RecipeFile
from pipeline.recipe_measure import EdgeCircleSettings, EdgeLineSettings, Place
from pipeline.result import Keypoint, KeypointState
from pipeline.stages.caliper import LINES, MARGIN_PX, STEP_PX, find_steps, sample
from pipeline.stages.datum import datum_axes
from pipeline.stages.robust_fit import fit_circle, fit_line
from pipeline.stages.values import FoundEdge

FEWEST, MOST = 8, 1024  # calipers of an edge
OUTLINE = 25  # points that a circle is shown by, the first twice
MOST_SAMPLES = 4_000_000  # of one edge: a recipe for another scale must not take all memory
_SIGNS = {"inside": 1, "left": 1, "outside": -1, "right": -1, "either": 0}


@dataclass(frozen=True, slots=True)
class _Rays:
    """Where profiles run: from `low` to `high`, (N, 2) sensor px each, at right angles to the edge."""

    low: Points
    high: Points


class Edges:
    """All edges of a recipe."""

    def __init__(self, recipe: RecipeFile, planes: Mapping[str, ViewPlane] | None = None) -> None:
        """For the edges that `recipe` names, in the planes of its views; by default those that its scales give."""
        self._recipe, self._planes = recipe, planes_of(recipe) if planes is None else planes
        self._by_view: dict[str, dict[str, EdgeCircleSettings | EdgeLineSettings]] = {}
        for name, edge in recipe.edges.items():
            self._by_view.setdefault(recipe.view_of(edge), {})[name] = edge

    def has_any(self, view: str) -> bool:
        """Whether edges are looked for in this view."""
        return view in self._by_view

    def __call__(self, view: str, frame: Frame, keypoints: Sequence[Keypoint]) -> tuple[FoundEdge, ...]:
        """Find the edges of one part in its frame; each is told, those that were not found without a shape."""
        plane = self._planes[view].map
        if plane is None:
            return tuple(FoundEdge(name) for name in self._by_view[view])
        known = {one.name: one for one in keypoints if one.state is KeypointState.visible and one.x is not None}
        names = list(known)
        xy_sensor_px = np.array([(known[name].x, known[name].y) for name in names], np.float64).reshape(-1, 2)
        with np.errstate(all="ignore"):  # a place beyond all numbers is none
            placed = dict(zip(names, plane.to_mm(xy_sensor_px), strict=True))
            return tuple(self._found(name, edge, plane, frame, placed) for name, edge in self._by_view[view].items())

    def _found(
        self,
        name: str,
        edge: EdgeCircleSettings | EdgeLineSettings,
        plane: PlaneMap,
        frame: Frame,
        placed: Mapping[str, Points],
    ) -> FoundEdge:
        nothing = FoundEdge(name, lacking=tuple(one for one in self._recipe.needed(edge) if one not in placed))
        places = None if nothing.lacking else self._places(edge, placed)
        if places is None or not np.isfinite(places).all():
            return nothing
        if isinstance(edge, EdgeCircleSettings):
            rays = _circle_rays(plane, places[0], edge.radius, edge.search)
        else:
            rays = _line_rays(plane, places[0], places[1], edge)
        xy_sensor_px = None if rays is None else _search(frame, rays, _SIGNS[edge.dark], edge.contrast)
        if rays is None or xy_sensor_px is None:
            return nothing
        xy_mm = plane.to_mm(xy_sensor_px)
        xy_mm = xy_mm[np.isfinite(xy_mm).all(axis=1)]
        fit = fit_circle(xy_mm) if isinstance(edge, EdgeCircleSettings) else fit_line(xy_mm)
        if fit is None or fit.is_on.sum() < edge.found * (len(rays.low) // LINES):
            return nothing
        shape = fit.shape
        if isinstance(edge, EdgeCircleSettings) and abs(shape[2] - edge.radius) > edge.search:
            return nothing  # a circle through something else
        if isinstance(edge, EdgeLineSettings) and (shape[2:] - shape[:2]) @ (places[1] - places[0]) < 0.0:
            order = np.array([2, 3, 0, 1])
            shape, covariance = shape[order], fit.covariance[np.ix_(order, order)]
        else:
            covariance = fit.covariance
        outline = tuple((float(x), float(y)) for x, y in plane.to_px(_outline(shape)))
        return FoundEdge(name, tuple(shape.tolist()), tuple(tuple(row) for row in covariance.tolist()), outline)

    def _places(self, edge: EdgeCircleSettings | EdgeLineSettings, placed: Mapping[str, Points]) -> Points | None:
        """What the edge is placed by, (n, 2) mm; None where the keypoints of its datum give no direction."""
        datum = self._recipe.datum.get(edge.datum or "")
        axes = None
        if datum is not None:
            axes = datum_axes(placed[datum.origin], placed[datum.x_axis])
            if not np.isfinite(axes).all():
                return None

        def place(where: Place) -> Points:
            if isinstance(where, str):
                return placed[where]
            return np.asarray(placed[datum.origin] + np.array(where) @ axes)  # type: ignore[union-attr]  # the recipe was checked

        return np.array([place(where) for where in edge.places()])


def _circle_rays(plane: PlaneMap, centre: Points, radius: float, search: float) -> _Rays | None:
    """Outwards, as many as the circle has px."""
    px = plane.to_px(centre + radius * np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [0, 0]]))
    if not np.isfinite(px).all():
        return None
    radius_px = float(np.hypot(*(px[:4] - px[4]).T).mean())
    if not radius_px > 0.0:
        return None
    angles = 2.0 * np.pi * np.arange(_lines(2.0 * np.pi * radius_px)) / _lines(2.0 * np.pi * radius_px)
    outwards = np.column_stack([np.cos(angles), np.sin(angles)])
    margin = MARGIN_PX * radius / radius_px
    return _rays(plane, centre + outwards * radius, outwards * (search + margin))


def _line_rays(plane: PlaneMap, start: Points, end: Points, edge: EdgeLineSettings) -> _Rays | None:
    """From the left to the right, seen along the line, as many as the line has px."""
    length = float(np.hypot(*(end - start)))
    px = plane.to_px(np.array([start, end]))
    length_px = float(np.hypot(*(px[1] - px[0])))
    if not (length > 0.0 and length_px > 1.0 and np.isfinite(length_px)):
        return None
    along = (end - start) / length
    right = np.array([-along[1], along[0]])
    shares = np.linspace(edge.inset, 1.0 - edge.inset, _lines(length_px * (1.0 - 2.0 * edge.inset)))
    margin = MARGIN_PX * length / length_px
    return _rays(
        plane, start + shares[:, None] * (end - start), np.tile(right * (edge.search + margin), (len(shares), 1))
    )


def _lines(length_px: float) -> int:
    return LINES * int(np.clip(length_px / LINES, FEWEST, MOST))


def _rays(plane: PlaneMap, middles: Points, reach: Points) -> _Rays | None:
    low, high = plane.to_px(middles - reach), plane.to_px(middles + reach)
    return _Rays(low, high) if np.isfinite(low).all() and np.isfinite(high).all() else None


def _search(frame: Frame, rays: _Rays, sign: int, contrast: float) -> Points | None:
    """Where the edge lies in each caliper that shows it, (n, 2) sensor px; None where it cannot be looked for."""
    length_px = float(np.hypot(*(rays.high - rays.low).T).mean())
    if length_px * len(rays.low) / STEP_PX > MOST_SAMPLES:
        return None
    count = max(round(length_px / STEP_PX), 4 * round(MARGIN_PX / STEP_PX)) + 1
    both = np.concatenate([rays.low, rays.high])
    left, top = np.maximum(np.floor(both.min(axis=0)), 0.0).astype(int).tolist()
    size = np.array([frame.info.width, frame.info.height])
    right, below = np.minimum(np.ceil(both.max(axis=0)) + 1.0, size).astype(int).tolist()
    if right - left < 2 or below - top < 2:
        return None
    grey = grey8(frame, left, top, right - left, below - top)
    shares = np.linspace(0.0, 1.0, count)
    xy = rays.low[:, None] + shares[:, None] * (rays.high - rays.low)[:, None] - np.array([left, top])
    levels = sample(grey, xy)
    steps = find_steps(levels.reshape(-1, LINES, count).mean(axis=1), sign, contrast)
    share = (steps.at / (count - 1))[steps.is_found, None]
    middle = slice(LINES // 2, None, LINES)
    low, high = rays.low[middle][steps.is_found], rays.high[middle][steps.is_found]
    return np.asarray(low + share * (high - low))


def _outline(shape: NDArray[np.float64]) -> Points:
    """Points along a circle, closed, or the two ends of a line."""
    if len(shape) == 4:
        return shape.reshape(2, 2)
    angles = np.linspace(0.0, 2.0 * np.pi, OUTLINE)
    return np.asarray(shape[:2] + shape[2] * np.column_stack([np.cos(angles), np.sin(angles)]))
