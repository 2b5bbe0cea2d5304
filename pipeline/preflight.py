"""What must be right before any process starts: the recipe, its views, and the files that cameras are made from."""

from pathlib import Path

import msgspec

from pipeline.calibration_file import read_calibration
from pipeline.camera_settings import CameraSettings, FolderSettings, GenicamSettings, VideoSettings
from pipeline.config import Station
from pipeline.errors import CameraError, ConfigError
from pipeline.recipe import Recipe, choose, find_recipes


def recipe_of(station: Station, number: int | None) -> Recipe:
    """The recipe of this number, None being the folder's only one.

    Raises:
        RecipeError: there is no such recipe, or it is not sealed, or was changed since.
        ConfigError: the cameras' views are not those of the recipe.
    """
    folder = Path(station.recipes)
    recipe = choose(find_recipes(folder), folder, number)
    refuse_other_views(station, recipe)
    return recipe


def resolved(station: Station) -> Station:
    """The station with the number of its folder's only recipe where it names none. Raises RecipeError where that is not one."""
    if station.recipe is not None:
        return station
    folder = Path(station.recipes)
    return msgspec.structs.replace(station, recipe=choose(find_recipes(folder), folder, None).number)


def refuse_other_views(station: Station, recipe: Recipe) -> None:
    """Refuse a recipe that has other views than the cameras give. Raises ConfigError."""
    views = set(station.views.values())
    if views != recipe.views.keys():
        raise ConfigError(
            f"the cameras give the views {', '.join(sorted(views))}, recipe {recipe.name} has {', '.join(recipe.views)}",
            where="camera.*.view",
            allowed="a camera for each view of the recipe, named after it or with its `view`",
        )


def refuse_missing(name: str, settings: CameraSettings) -> None:
    """Refuse a camera whose file or folder is not there; a device that is not there may still come.

    Raises:
        CameraError: it is not there.
        ConfigError: its calibration is not, or cannot be measured with.
    """
    if settings.calibration:
        read_calibration(Path(settings.calibration)).plane_map()
    match settings:
        case GenicamSettings():
            key, path, is_there = "producer", settings.producer, Path(settings.producer).is_file()
        case VideoSettings():
            key, path, is_there = "path", settings.path, Path(settings.path).is_file()
        case FolderSettings():
            key, path, is_there = "path", settings.path, Path(settings.path).is_dir()
        case _:
            return
    if not is_there:
        kind = "folder" if isinstance(settings, FolderSettings) else "file"
        raise CameraError(
            f"there is no {kind} {path}", where=f"camera.{name}.{key}", next_command="datumd check STATION.toml"
        )
