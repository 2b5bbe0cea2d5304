"""`datumd check`: everything that can be known of a station without running it."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, DatumdError

if TYPE_CHECKING:
    from pipeline.camera_settings import CameraSettings
    from pipeline.config import Station
    from pipeline.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to check: `look` returns what it found, and raises DatumdError where something is wrong."""

    name: str
    look: Callable[[], str]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "check",
        help="check a station and its recipes without running it",
        description="Check a station file, every recipe in its folder (seal, networks, reference frames), its cameras' "
        "producers, devices and files, and its addresses. One line for each; no camera is opened. A running daemon of "
        "this station holds its addresses, so check before it runs.",
        epilog="Example: datumd check station.toml && datumd run station.toml",
    )
    parser.add_argument("station", type=Path, metavar="STATION.toml", help="the station file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print one line a thing. Raises, after all was checked, what is wrong, or how many things are."""
    from pipeline.config import load_station

    station = load_station(args.station)
    print(f"ok    {args.station}: station {station.station}, {len(station.camera)} camera(s)")
    wrong: list[DatumdError] = []
    for item in _items(station):
        try:
            print(f"ok    {item.name}: {item.look()}", flush=True)
        except DatumdError as problem:
            wrong.append(problem)
            print(f"WRONG {item.name}: {problem}", flush=True)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise ConfigError(f"{len(wrong)} things are wrong, see above", where=str(args.station))
    print(f"ok    recipe to start with: {_selected(station)}")
    return 0


def _items(station: "Station") -> Iterator[Item]:
    from pipeline.addresses import refuse_taken
    from pipeline.recipe import recipe_folders

    for name, settings in station.camera.items():
        yield Item(f"camera {name}", lambda settings=settings: _camera(settings))  # type: ignore[misc]
    try:
        folders = recipe_folders(Path(station.recipes))
    except DatumdError as problem:
        yield Item("recipes", lambda problem=problem: _raise(problem))  # type: ignore[misc]
    else:
        for folder in folders:
            yield Item(f"recipe {folder.name}", lambda folder=folder: _recipe(station, folder))  # type: ignore[misc]
    yield Item("addresses", lambda: _addresses(refuse_taken, station))


def _camera(settings: "CameraSettings") -> str:
    from pipeline.camera_settings import FolderSettings, GenicamSettings, VideoSettings

    if isinstance(settings, GenicamSettings):
        from pipeline.camera.genicam.producer import Producer

        with Producer(Path(settings.producer)) as producer:
            label = producer.labels[producer.find(settings.serial)]
        return f"{label.serial or label.id} ({label.vendor} {label.model}) of {settings.producer}"
    if isinstance(settings, FolderSettings | VideoSettings):
        path = Path(settings.path)
        if not (path.is_dir() if isinstance(settings, FolderSettings) else path.is_file()):
            kind = settings.__struct_config__.tag
            raise ConfigError(
                "there is no such folder or file", where=settings.path, allowed=f"what a {kind} camera plays"
            )
        return settings.path
    return settings.frames


def _recipe(station: "Station", folder: Path) -> str:
    from pipeline.inspector import Inspector
    from pipeline.qualify import qualify
    from pipeline.recipe import load_recipe

    recipe = load_recipe(folder)
    _views(station, recipe)
    inspector = Inspector.load(recipe, backend=station.infer.backend, threads=station.infer.threads)
    qualification = qualify(recipe, inspector)
    found = (
        f"{recipe.name}, number {recipe.number}, configuration {recipe.configuration_id}, within "
        f"{qualification.max_px:.3f} px on {qualification.frames} reference frame(s), {inspector.backend}"
    )
    return "; ".join([found, *(f"warning: {warning}" for warning in recipe.warnings)])


def _views(station: "Station", recipe: "Recipe") -> None:
    missing = [view for view in recipe.views if view not in station.views.values()]
    if missing:
        raise ConfigError(
            f"no camera gives view {', '.join(missing)} of recipe {recipe.name}",
            where="camera.*.view",
            allowed=f"a camera for each of {', '.join(recipe.views)}",
        )


def _selected(station: "Station") -> str:
    from pipeline.recipe import select_recipe

    recipe = select_recipe(Path(station.recipes), station.recipe)
    unknown = [view for view in station.views.values() if view not in recipe.views]
    if unknown:
        raise ConfigError(
            f"recipe {recipe.name} has no view {', '.join(unknown)}",
            where="camera.*.view",
            allowed=", ".join(recipe.views),
        )
    return f"{recipe.name}, number {recipe.number}"


def _addresses(refuse_taken: Callable[["Station"], None], station: "Station") -> str:
    refuse_taken(station)
    return f"{station.results.bind} and {station.metrics.bind} are free"


def _raise(problem: DatumdError) -> str:
    raise problem
