"""Every recipe of a station, loaded and qualified: each has its own inspector, or a fault for which it cannot be selected."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineUnavailable
from engines.load import WITH_PLANS
from engines.load import choose as choose_backend
from pipeline.calibration_file import read_calibration
from pipeline.config import InferSettings, Station
from pipeline.errors import DatumdError, EngineError, RecipeError
from pipeline.inspector import Inspector
from pipeline.messages import LoadedRecipe
from pipeline.plane_map import PlaneMap
from pipeline.planes import unplaced
from pipeline.plans import plans_folder
from pipeline.preflight import refuse_other_views
from pipeline.qualify import qualify
from pipeline.recipe import Recipe, choose, find_recipes
from pipeline.recipe_file import FILE_NAME

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

    def pin(self, memory: NDArray[np.uint8]) -> None:
        """Tell of the memory that frames come in: a GPU then fetches them by itself."""
        devices = {id(device): device for one in self.by_number.values() for device in one.devices}
        for device in devices.values():
            device.pin(memory)


def load_inspectors(
    station: Station, number: int | None, progress: Callable[[], None], *, is_required: bool
) -> Inspectors:
    """Load and qualify one recipe after the other. One that is refused gets a fault, and does not hinder the rest.

    Args:
        station: says where the recipes are, which views there are, and what runs the networks.
        number: the recipe that is loaded first; None is the folder's only one.
        progress: called after each recipe, and after each of its reference frames: a search for defects takes long.
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
            by_number[one.number] = load_inspector(station, one.recipe, progress)
            masters = one.recipe.file.masters
            recipes.append(LoadedRecipe(one.number, one.name, one.recipe.configuration_id, masters=masters))
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


def load_inspector(station: Station, recipe: Recipe, progress: Callable[[], None]) -> Inspector:
    """Load and qualify a recipe for a station. Raises DatumdError where it does not fit, cannot be run or does not qualify."""
    inspector = open_at_station(station, recipe)
    max_px = qualify(recipe, inspector, progress).max_px
    runs_on = f"{inspector.backend} ({why(station.infer, inspector.backends)})"
    log.info("recipe %s (%d) qualified within %.3f px on %s", recipe.name, recipe.number, max_px, runs_on)
    return inspector


def open_at_station(station: Station, recipe: Recipe) -> Inspector:
    """Load a recipe for a station and its cameras. Raises DatumdError where it does not fit, or cannot be run."""
    refuse_other_views(station, recipe)
    inspector = open_inspector(station.infer, recipe, calibrated(station))
    if views := unplaced(recipe.file, inspector.planes):
        raise RecipeError(
            f"view {views[0]} measures in mm, and its camera has no calibration",
            where=str(recipe.folder / FILE_NAME),
            allowed="calibration = FILE at the camera in the station file, or scale_mm_per_px",
            next_command="datumd calibrate plane",
        )
    return inspector


def why(infer: InferSettings, backends: Sequence[str]) -> str:
    """Why networks run on `backends`, an inspector's, with these settings."""
    try:
        choice = choose_backend(infer.backend, is_int8=infer.precision == "int8", plans=plans_folder(infer.plans))
    except EngineUnavailable as problem:  # what the station allows instead has been taken
        return f"not on {infer.backend}: {problem.what}"
    if all(backend.startswith(f"{choice.backend} ") for backend in backends):
        return choice.reason
    if choice.backend in WITH_PLANS:
        return (
            f"not all on {choice.backend}: a plan is missing; next: datumd build RECIPE --precision {infer.precision}"
        )
    return f"{choice.reason}; a network without a layer in {infer.precision} runs as in fp32"


def calibrated(station: Station) -> dict[str, PlaneMap]:
    """The plane of each view whose camera has a calibration. Raises ConfigError for one that cannot be used."""
    files = {station.views[name]: camera.calibration for name, camera in station.camera.items()}
    return {view: read_calibration(Path(file)).plane_map() for view, file in files.items() if file}


def open_inspector(infer: InferSettings, recipe: Recipe, planes: Mapping[str, PlaneMap] | None = None) -> Inspector:
    """Load a recipe on what the station says, or on what it allows instead. Raises as Inspector.load."""

    def load(backend: str) -> Inspector:
        plans = plans_folder(infer.plans)
        return Inspector.load(
            recipe,
            backend=backend,
            threads=infer.threads,
            precision=infer.precision,
            plans=plans,
            batch=infer.batch,
            calibrated=planes,
        )

    try:
        return load(infer.backend)
    except EngineError as problem:
        if infer.backend != "tensorrt" or infer.without_plan == "refuse":
            raise
        log.warning("recipe %s (%d) runs on %s: %s", recipe.name, recipe.number, infer.without_plan, problem)
        return load(infer.without_plan)
