"""Every recipe of a station, loaded and qualified: each has its own inspector, or a fault for which it cannot be selected."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Station
from pipeline.errors import DatumdError, RecipeError
from pipeline.inspector import Inspector
from pipeline.messages import LoadedRecipe
from pipeline.preflight import refuse_other_views
from pipeline.qualify import qualify
from pipeline.recipe import Recipe, choose, find_recipes

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inspectors:
    """The inspectors by recipe number, and what is told of every recipe in the folder, of one number the good one last."""

    by_number: dict[int, Inspector]
    recipes: list[LoadedRecipe]

    @property
    def backend(self) -> str:
        """Library and version that run the networks."""
        return next(iter(self.by_number.values())).backend


def load_inspectors(
    station: Station, number: int | None, progress: Callable[[], None], *, is_required: bool
) -> Inspectors:
    """Load and qualify one recipe after the other. One that is refused gets a fault, and does not hinder the rest.

    Args:
        station: says where the recipes are, which views there are, and what runs the networks.
        number: the recipe that is loaded first; None is the folder's only one.
        progress: called after each recipe.
        is_required: whether that of `number` must be good.

    Raises:
        DatumdError: the recipe of `number` is refused and must be good, or no recipe is good.
    """
    folder = Path(station.recipes)
    found = find_recipes(folder)
    required = choose(found, folder, number) if is_required else None
    by_number, recipes = {}, []
    for one in sorted(found, key=lambda one: one.number != number):
        try:
            if isinstance(one.recipe, DatumdError):
                raise one.recipe
            by_number[one.number] = load_inspector(station, one.recipe)
            recipes.append(LoadedRecipe(one.number, one.name, one.recipe.configuration_id))
        except DatumdError as problem:
            if one.recipe is required:
                raise
            log.warning("the recipe in %s cannot be selected: %s", one.folder, problem)
            recipes.append(LoadedRecipe(one.number, one.name, "", str(problem)))
        progress()
    if not by_number:
        raise RecipeError(
            "holds no recipe that can be used", where=str(folder), next_command="datumd check STATION.toml"
        )
    return Inspectors(by_number, sorted(recipes, key=lambda recipe: (recipe.number, not recipe.fault)))


def load_inspector(station: Station, recipe: Recipe) -> Inspector:
    """Load and qualify a recipe for a station. Raises DatumdError where it does not fit, cannot be run or does not qualify."""
    refuse_other_views(station, recipe)
    infer = station.infer
    inspector = Inspector.load(recipe, backend=infer.backend, threads=infer.threads, precision=infer.precision)
    qualification = qualify(recipe, inspector)
    log.info("recipe %s (%d) qualified within %.3f px", recipe.name, recipe.number, qualification.max_px)
    return inspector
