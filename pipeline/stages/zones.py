"""Zones of a recipe, placed on a part by its keypoints, and the defects that reach into them."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline import run_length
from pipeline.geometry import Points
from pipeline.plane_map import PlaneMap
from pipeline.planes import ViewPlane, planes_of
from pipeline.recipe_defects import ZoneSettings
from pipeline.recipe_file import RecipeFile
from pipeline.result import Defect, Keypoint, KeypointState
from pipeline.stages.datum import datum_axes


class Zones:
    """All zones of a recipe."""

    def __init__(self, recipe: RecipeFile, planes: Mapping[str, ViewPlane] | None = None) -> None:
        """For the zones that `recipe` names, in the planes of its views; by default those that its scales give."""
        self._recipe, self._planes = recipe, planes_of(recipe) if planes is None else planes
        self._by_view: dict[str, dict[str, ZoneSettings]] = {}
        for name, zone in recipe.zone.items():
            self._by_view.setdefault(recipe.view_of(zone), {})[name] = zone

    def __call__(
        self, view: str, keypoints: Sequence[Keypoint], defects: Sequence[Defect]
    ) -> tuple[tuple[Defect, ...], tuple[str, ...]]:
        """Name the zones in each defect of one part. A defect reaches into a zone if the centre of a cell of its mask lies there.

        Returns:
            the defects, and the zones that nobody knows the place of: a keypoint that they need is not visible, or they are in mm
            and the camera has no calibration.
        """
        zones, plane = self._by_view.get(view, {}), self._planes[view].map
        placed = {name: self._placed(zone, keypoints, plane) for name, zone in zones.items()}
        named = []
        for defect in defects:
            into = [
                name
                for name, polygon in placed.items()
                if polygon is not None and reaches(defect, polygon, _grow_px(zones[name], polygon, plane))
            ]
            named.append(msgspec.structs.replace(defect, zones=into) if into else defect)
        return tuple(named), tuple(name for name, polygon in placed.items() if polygon is None)

    def _placed(self, zone: ZoneSettings, keypoints: Sequence[Keypoint], plane: PlaneMap | None) -> Points | None:
        """Its corners (M, 2) in sensor px."""
        known = {one.name: one for one in keypoints if one.state is KeypointState.visible and one.x is not None}
        if any(name not in known for name in self._recipe.needed(zone)) or (plane is None and zone.needs_scale()):
            return None
        xy = {name: np.array([one.x, one.y], np.float64) for name, one in known.items()}
        datum = self._recipe.datum.get(zone.datum or "")
        inner = [corner for corner in zone.polygon if not isinstance(corner, str)]
        if datum is None or plane is None:
            return np.array([xy[corner] for corner in zone.polygon if isinstance(corner, str)])
        origin_mm, x_axis_mm = plane.to_mm([xy[datum.origin], xy[datum.x_axis]])
        places = iter(plane.to_px(origin_mm + np.array(inner) @ datum_axes(origin_mm, x_axis_mm)))
        corners = np.array([xy[corner] if isinstance(corner, str) else next(places) for corner in zone.polygon])
        return corners if np.isfinite(corners).all() else None


def _grow_px(zone: ZoneSettings, polygon: Points, plane: PlaneMap | None) -> float:
    """How far it grows, at the size that a px has in its middle."""
    if not zone.grow_mm or plane is None:
        return 0.0
    return zone.grow_mm / plane.mm_per_px(polygon.mean(axis=0))


def reaches(defect: Defect, polygon: Points, grow_px: float) -> bool:
    """Whether a cell of the defect's mask has its centre in a polygon (M, 2), sensor px, or at most so far from it."""
    mask = defect.mask
    cells = run_length.decode(mask.counts, mask.rows, mask.columns)
    rows, columns = np.nonzero(cells)
    x = mask.x - 0.5 + (columns + 0.5) * (mask.width / mask.columns)
    y = mask.y - 0.5 + (rows + 0.5) * (mask.height / mask.rows)
    points = np.stack([x, y], axis=-1)
    near = (points >= polygon.min(axis=0) - grow_px).all(axis=1) & (points <= polygon.max(axis=0) + grow_px).all(axis=1)
    points = points[near]
    return bool(is_inside(points, polygon).any() or (distance_px(points, polygon) <= grow_px).any())


def is_inside(points: Points, polygon: Points) -> NDArray[np.bool_]:
    """(N,), whether points (N, 2) lie in a polygon (M, 2): a ray to the right crosses its edges an odd number of times."""
    x, y = points.T
    inside = np.zeros(len(points), np.bool_)
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if start[1] != end[1]:
            crossing = start[0] + (y - start[1]) * ((end[0] - start[0]) / (end[1] - start[1]))
            inside ^= ((start[1] > y) != (end[1] > y)) & (x < crossing)
    return inside


def distance_px(points: Points, polygon: Points) -> NDArray[np.float64]:
    """(N,), how far points (N, 2) lie from the nearest edge of a polygon (M, 2), whether inside or outside."""
    nearest = np.full(len(points), np.inf)
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        edge, from_start = end - start, points - start
        along = np.clip(from_start @ edge / max(float(edge @ edge), 1e-12), 0.0, 1.0)
        nearest = np.minimum(nearest, np.hypot(*(from_start - along[:, None] * edge).T))
    return nearest
