"""The plane that each view of a recipe measures in: its camera's calibration, or the scale that the recipe states."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from pipeline.plane_map import PlaneMap
from pipeline.recipe_file import RecipeFile
from pipeline.result import Defect, Keypoint


@dataclass(frozen=True, slots=True)
class ViewPlane:
    """Where a view measures, and in which unit lengths are. In px `map` changes nothing; None where none is known for mm."""

    map: PlaneMap | None
    unit: Literal["mm", "px"]


def planes_of(recipe: RecipeFile, calibrated: Mapping[str, PlaneMap] | None = None) -> dict[str, ViewPlane]:
    """Plane by view. `calibrated` holds those of views whose camera has a calibration; it goes before the recipe's scale.

    What a recipe means by its numbers is its own: one in px stays in px, whatever the camera is.
    """
    planes = {}
    for name, view in recipe.view.items():
        known, scale = (calibrated or {}).get(name), view.scale_mm_per_px
        if view.unit == "px" or (view.unit is None and scale is None):
            planes[name] = ViewPlane(PlaneMap.from_scale(1.0), "px")
        elif known is not None:
            planes[name] = ViewPlane(known.at_height(view.height_mm, view.height_sigma_mm), "mm")
        else:
            scaled = None if scale is None else PlaneMap.from_scale(scale, view.scale_sigma_mm_per_px)
            planes[name] = ViewPlane(scaled, "mm")
    return planes


def unplaced(recipe: RecipeFile, planes: Mapping[str, ViewPlane]) -> list[str]:
    """Views that something is measured or limited in, in mm, and whose plane is not known."""
    wanted = {recipe.view_of(one) for one in recipe.measure.values()}
    wanted |= {recipe.view_of(zone) for zone in recipe.zone.values() if zone.needs_scale()}
    wanted |= {name for name, view in recipe.view.items() if view.segment and view.segment.max_area_mm2 is not None}
    return [name for name, plane in planes.items() if plane.map is None and name in wanted]


def placed_mm(keypoints: Sequence[Keypoint], plane: ViewPlane) -> tuple[Keypoint, ...]:
    """Keypoints of one view with their places in mm of its plane; as they are where the view is in px or has no plane."""
    known = [one for one in keypoints if one.x is not None]
    if plane.map is None or plane.unit == "px" or not known:
        return tuple(keypoints)
    places = plane.map.to_mm(np.array([(one.x, one.y) for one in known], np.float64)).tolist()
    by_name = {one.name: place for one, place in zip(known, places, strict=True) if math.isfinite(sum(place))}
    return tuple(
        msgspec.structs.replace(one, x_mm=by_name[one.name][0], y_mm=by_name[one.name][1])
        if one.name in by_name
        else one
        for one in keypoints
    )


def areas_mm2(defects: Sequence[Defect], plane: PlaneMap) -> tuple[Defect, ...]:
    """Defects with their areas at the size that a px has in the middle of each one's box."""
    with_areas = []
    for one in defects:
        x, y, width, height = one.box
        mm_per_px = plane.mm_per_px((x + (width - 1.0) / 2.0, y + (height - 1.0) / 2.0))
        area = one.area_px * mm_per_px**2
        with_areas.append(msgspec.structs.replace(one, area_mm2=area if math.isfinite(area) else None))
    return tuple(with_areas)
