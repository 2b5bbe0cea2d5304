"""The plane that each view of a recipe measures in: its camera's calibration, or the scale that the recipe states."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.plane_map import PlaneMap
from pipeline.recipe_file import RecipeFile


@dataclass(frozen=True, slots=True)
class ViewPlane:
    """Where a view measures. `unit` is px where the view has neither calibration nor scale; `map` then changes nothing."""

    map: PlaneMap
    unit: Literal["mm", "px"]


def planes_of(recipe: RecipeFile, calibrated: Mapping[str, PlaneMap] | None = None) -> dict[str, ViewPlane]:
    """Plane by view. `calibrated` holds those of views whose camera has a calibration; it goes before the recipe's scale."""
    planes = {}
    for name, view in recipe.view.items():
        known = (calibrated or {}).get(name)
        known = known and known.at_height(view.height_mm, view.height_sigma_mm)
        scaled = PlaneMap.from_scale(view.scale_mm_per_px or 1.0, view.scale_sigma_mm_per_px)
        planes[name] = ViewPlane(known or scaled, "px" if known is None and view.scale_mm_per_px is None else "mm")
    return planes
