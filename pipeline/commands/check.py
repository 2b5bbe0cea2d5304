"""`datumd check`: everything that can be known of a station without running it."""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, DatumdError, RecipeError

if TYPE_CHECKING:
    from pipeline.camera.source import CameraInfo
    from pipeline.camera_settings import CameraSettings
    from pipeline.config import Station
    from pipeline.recipe import Recipe
    from pipeline.web_settings import WebSettings


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
        "producers, devices and files, and its addresses. One line for each; no camera is opened, but the first picture of "
        "a folder or video is compared with ring.slot_mb and with the recipes' regions. A running daemon of "
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
            if str(problem) not in {
                str(known) for known in wrong
            }:  # the recipe to start with has been looked at before
                wrong.append(problem)
                print(f"WRONG {item.name}: {problem}", flush=True)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise ConfigError(f"{len(wrong)} things are wrong, see above", where=str(args.station))
    return 0


def _items(station: "Station") -> Iterator[Item]:
    from pipeline.bridge_settings import check_bridge
    from pipeline.recipe import find_recipes

    sizes: dict[str, tuple[int, int]] = {}
    for name, settings in station.camera.items():
        yield Item(f"camera {name}", partial(_camera, station, name, settings, sizes))
        if settings.calibration:
            yield Item(f"calibration of {name}", partial(_calibration, settings.calibration))
    try:
        recipes = find_recipes(Path(station.recipes))
    except DatumdError as problem:
        yield Item("recipes", partial(_raise, problem))
    else:
        for found in recipes:
            yield Item(f"recipe {found.folder.name}", partial(_recipe, station, found.recipe, sizes))
        yield Item("recipe to start with", partial(_selected, station))
    if station.security is not None:
        yield Item("security", partial(_security, station))
    for protocol in station.plc.protocols:
        yield Item(f"bridge {protocol}", partial(check_bridge, station.plc, protocol))
    if station.web is not None:
        yield Item("page", partial(_page, station.web))
    if station.infer.cpus:
        yield Item("processors", partial(_processors, station.infer.cpus))
    yield Item("addresses", partial(_addresses, station))


def _processors(cpus: list[int]) -> str:
    from pipeline.supervisor.kept_cpus import kept_cpus

    kept = kept_cpus(cpus)
    infer, others = (", ".join(map(str, sorted(numbers))) for numbers in (kept.infer, kept.others))
    return f"{infer} for inference, {others} for all else"


def _calibration(file: str) -> str:
    """Read it; whether it is of this camera is seen when the camera is opened."""
    from pipeline.calibration_file import read_calibration

    calibration = read_calibration(Path(file))
    calibration.plane_map()
    plane = calibration.plane
    residual = f", {plane.residual_px:.3f} px off on its plane ({plane.made})" if plane else ""
    return f"camera {calibration.camera}, {calibration.lens.model} lens of {calibration.made}{residual}"


def _page(settings: "WebSettings") -> str:
    from pipeline.sinks.web.access import Access, check_certificate
    from pipeline.sinks.web.process import check_installed

    check_installed()
    people = Access(Path(settings.tokens)).people if settings.tokens else ()
    check_certificate(settings)
    whom = ", ".join(f"{one.name} ({one.role.name})" for one in people) or "whoever reaches it may look"
    return f"{'https' if settings.certificate else 'http'}://{settings.bind}/, {whom}"


def _security(station: "Station") -> str:
    from pipeline.security import check_security

    return f"clients that may connect: {', '.join(check_security(station.security)) or 'none but the station itself'}"


def _camera(station: "Station", name: str, settings: "CameraSettings", sizes: dict[str, tuple[int, int]]) -> str:
    """Look at one camera; what is played from files notes its width and height in px in `sizes` under its view."""
    from pipeline.camera_settings import FolderSettings, GenicamSettings, HttpSettings, SyntheticSettings
    from pipeline.frame import PixelFormat

    if isinstance(settings, GenicamSettings):
        from pipeline.camera.genicam.producer import Producer

        with Producer(Path(settings.producer)) as producer:
            label = producer.labels[producer.find(settings.serial)]
        return f"{label.serial or label.id} ({label.vendor} {label.model}) of {settings.producer}"
    if isinstance(settings, SyntheticSettings):
        width, height = settings.width, settings.height
        _fits(station, name, (width, height), width * height)
        sizes[station.views[name]] = width, height
        return f"{settings.frames}, {width} x {height}"
    if isinstance(settings, HttpSettings):
        from pipeline.workers.http import read_token

        read_token(Path(settings.token))
        form, size = PixelFormat[settings.pixel_format], (settings.width, settings.height)
        _fits(station, name, size, form.payload_bytes(*size))
        sizes[station.views[name]] = size
        return f"POST http://{settings.bind}/inspect, {settings.width} x {settings.height} {form.name}"
    path = Path(settings.path)
    if not (path.is_dir() if isinstance(settings, FolderSettings) else path.is_file()):
        kind = settings.__struct_config__.tag
        raise ConfigError("there is no such folder or file", where=settings.path, allowed=f"what a {kind} camera plays")
    info = _info(settings)
    _fits(station, name, (info.width, info.height), info.payload_bytes)
    sizes[station.views[name]] = info.width, info.height
    return f"{settings.path}, {info.width} x {info.height} {info.pixel_format.name}"


def _info(settings: "CameraSettings") -> "CameraInfo":
    from pipeline.camera.load import open_camera

    camera = open_camera(settings)
    try:
        return camera.connect()
    finally:
        camera.disconnect()


def _fits(station: "Station", name: str, size_wh: tuple[int, int], payload_bytes: int) -> None:
    slot_bytes = int(station.ring.slot_mb * 2**20)
    if payload_bytes > slot_bytes:
        least = math.ceil(payload_bytes / 2**20 * 1000) / 1000
        raise ConfigError(
            f"is {station.ring.slot_mb:g}: a picture of camera {name} ({size_wh[0]} x {size_wh[1]}) takes {payload_bytes} bytes",
            where="ring.slot_mb",
            allowed=f"{least:g} at least",
        )


def _recipe(station: "Station", recipe: "Recipe | DatumdError", sizes: dict[str, tuple[int, int]]) -> str:
    from pipeline.inspectors import open_at_station, why
    from pipeline.preflight import refuse_other_views
    from pipeline.qualify import qualify
    from pipeline.recipe import warnings_of

    if isinstance(recipe, DatumdError):
        raise recipe
    refuse_other_views(station, recipe)
    _regions(recipe, sizes)
    inspector = open_at_station(station, recipe)
    qualification = qualify(recipe, inspector)
    looks = any(view.settings.segment is not None for view in recipe.views.values())
    masks = f" and masks within an IoU of {qualification.min_iou:.3f}" if looks else ""
    found = (
        f"{recipe.name}, number {recipe.number}, configuration {recipe.configuration_id}, within "
        f"{qualification.max_px:.3f} px{masks} on {qualification.frames} reference frame(s), "
        f"{inspector.backend} ({why(station.infer, inspector.backends)})"
    )
    stated = [name for name, plane in inspector.planes.items() if plane.map and plane.map.states_uncertainty]
    warnings = warnings_of(recipe.file, recipe.views, stated)
    return "; ".join([found, *(f"warning: {warning}" for warning in warnings)])


def _regions(recipe: "Recipe", sizes: dict[str, tuple[int, int]]) -> None:
    """Refuse regions that reach out of the picture, where its size is known: every part would be undefined."""
    from pipeline.geometry import Region
    from pipeline.recipe_file import FILE_NAME
    from pipeline.stages.locate import reaches_out

    for name, view in recipe.views.items():
        locate = view.settings.locate
        key = "fixed" if locate.fixed is not None else "nests"
        for box in [locate.fixed] if locate.fixed is not None else locate.nests or []:
            if name in sizes and reaches_out(Region(*box), sizes[name]):
                width, height = sizes[name]
                raise RecipeError(
                    f"the region [{', '.join(f'{side:g}' for side in box)}] reaches out of the camera's picture",
                    where=f"{recipe.folder / FILE_NAME}: view.{name}.locate.{key}",
                    allowed=f"x, y, width, height within {width} x {height}",
                )


def _selected(station: "Station") -> str:
    """The recipe that the daemon would start with. Raises DatumdError where it is refused."""
    from pipeline.preflight import recipe_of, resolved
    from pipeline.runtime import state_folder
    from pipeline.selection import kept_selection, recipe_number

    station = resolved(station)
    number = recipe_number(kept_selection(state_folder(station)), station.recipe)
    recipe = recipe_of(station, number)
    why = "" if number == station.recipe else f", selected through control; the station file says {station.recipe}"
    return f"{recipe.name}, number {recipe.number}{why}"


def _addresses(station: "Station") -> str:
    from pipeline.addresses import refuse_taken

    refuse_taken(station)
    return f"{' and '.join(station.addresses.values())} are free"


def _raise(problem: DatumdError) -> str:
    raise problem
