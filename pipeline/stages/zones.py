"""Zones of a recipe, placed on a part by its keypoints, and the defects that reach into them."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline import run_length
from pipeline.geometry import Points
from pipeline.recipe_defects import ZoneSettings
from pipeline.recipe_file import RecipeFile
from pipeline.recipe_measure import DatumSettings
from pipeline.result import Defect, Keypoint, KeypointState
from pipeline.stages.datum import datum_axes


class Zones:
    """All zones of a recipe."""

    def __init__(self, recipe: RecipeFile) -> None:
        """For the zones that `recipe` names."""
        self._recipe = recipe
        self._by_view: dict[str, dict[str, ZoneSettings]] = {}
        for name, zone in recipe.zone.items():
            self._by_view.setdefault(recipe.view_of(zone), {})[name] = zone

    def __call__(
        self, view: str, keypoints: Sequence[Keypoint], defects: Sequence[Defect]
    ) -> tuple[tuple[Defect, ...], tuple[str, ...]]:
        """Name the zones in each defect of one part. A defect reaches into a zone if the centre of a cell of its mask lies there.

        Returns:
            the defects, and the zones that nobody knows the place of: a keypoint that they need is not visible.
        """
        zones, scale = self._by_view.get(view, {}), self._recipe.view[view].scale_mm_per_px or 1.0
        placed = {name: self._placed(zone, keypoints, scale) for name, zone in zones.items()}
        named = []
        for defect in defects:
            into = [
                name
                for name, polygon in placed.items()
                if polygon is not None and reaches(defect, polygon, zones[name].grow_mm / scale)
            ]
            named.append(msgspec.structs.replace(defect, zones=into) if into else defect)
        return tuple(named), tuple(name for name, polygon in placed.items() if polygon is None)

    def _placed(self, zone: ZoneSettings, keypoints: Sequence[Keypoint], mm_per_px: float) -> Points | None:
        """Its corners (M, 2) in sensor px."""
        known = {one.name: one for one in keypoints if one.state is KeypointState.visible and one.x is not None}
        if any(name not in known for name in self._recipe.needed(zone)):
            return None
        xy = {name: np.array([one.x, one.y], np.float64) for name, one in known.items()}
        datum = self._recipe.datum.get(zone.datum or "")
        sensor_from_datum = None if datum is None else _axes_px(datum, xy, mm_per_px)
        if datum is not None and sensor_from_datum is None:
            return None
        corners = []
        for corner in zone.polygon:
            if isinstance(corner, str):
                corners.append(xy[corner])
            elif datum is not None and sensor_from_datum is not None:
                corners.append(xy[datum.origin] + np.array(corner) @ sensor_from_datum)
        return np.array(corners)


def _axes_px(datum: DatumSettings, xy: Mapping[str, Points], mm_per_px: float) -> NDArray[np.float64] | None:
    """(2, 2): the x and the y axis of a datum, each 1 mm long in sensor px; None where its keypoints lie too close together."""
    axes = datum_axes(xy[datum.origin], xy[datum.x_axis])
    return axes / mm_per_px if np.isfinite(axes).all() else None


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
