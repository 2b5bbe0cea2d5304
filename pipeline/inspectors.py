"""Every recipe of a station, loaded and qualified: each has its own inspector, or a fault for which it cannot be selected."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Station
from pipeline.errors import DatumdError
from pipeline.inspector import Inspector
from pipeline.messages import LoadedRecipe
from pipeline.preflight import refuse_other_views
from pipeline.qualify import qualify
from pipeline.recipe import Recipe, choose, find_recipes

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inspectors:
    """The inspectors by recipe number, and what is told of every recipe in the folder."""

    by_number: dict[int, Inspector]
    recipes: list[LoadedRecipe]

    @property
    def backend(self) -> str:
        """Library and version that run the networks."""
        return next(iter(self.by_number.values())).backend


def load_inspectors(station: Station, number: int | None, progress: Callable[[], None]) -> Inspectors:
    """Load and qualify one recipe after the other, first that of `number`; None is the folder's only one.

    Args:
        station: says where the recipes are, which views there are, and what runs the networks.
        number: the recipe that must be good.
        progress: called after each recipe.

    Raises:
        DatumdError: the recipe of `number` is refused. Any other that is gets a fault, and does not hinder the rest.
    """
    folder = Path(station.recipes)
    found = find_recipes(folder)
    first = choose(found, folder, number)
    by_number = {first.number: load_inspector(station, first)}
    recipes = [LoadedRecipe(first.number, first.name, first.configuration_id)]
    progress()
    for one in (one for one in found if one.recipe is not first):
        configuration_id, fault = "", ""
        try:
            if isinstance(one.recipe, DatumdError):
                raise one.recipe
            by_number[one.number] = load_inspector(station, one.recipe)
            configuration_id = one.recipe.configuration_id
        except DatumdError as problem:
            fault = str(problem)
            log.warning("the recipe in %s cannot be selected: %s", one.folder, fault)
        recipes.append(LoadedRecipe(one.number, one.name, configuration_id, fault))
        progress()
    return Inspectors(by_number, sorted(recipes, key=lambda recipe: recipe.number))


def load_inspector(station: Station, recipe: Recipe) -> Inspector:
    """Load and qualify a recipe for a station. Raises DatumdError where it does not fit, cannot be run or does not qualify."""
    refuse_other_views(station, recipe)
    inspector = Inspector.load(recipe, backend=station.infer.backend, threads=station.infer.threads)
    qualification = qualify(recipe, inspector)
    log.info("recipe %s (%d) qualified within %.3f px", recipe.name, recipe.number, qualification.max_px)
    return inspector
