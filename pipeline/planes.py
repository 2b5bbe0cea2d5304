"""The plane that each view of a recipe measures in: its camera's calibration, or the scale that the recipe states."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.plane_map import PlaneMap
from pipeline.recipe_file import RecipeFile


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
    """Views that something is measured in, and whose plane is not known."""
    measured = {recipe.view_of(wanted) for wanted in recipe.measure.values()}
    return [name for name, plane in planes.items() if plane.map is None and name in measured]
