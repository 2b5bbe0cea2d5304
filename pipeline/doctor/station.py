"""What a station's file names, as far as this machine must have it: cameras, plans, keys, addresses, bridges."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from engines.errors import EngineUnavailable
from engines.load import WITH_PLANS, choose
from engines.plan import has_plan
from pipeline.addresses import refuse_taken
from pipeline.bridge_settings import check_bridge
from pipeline.camera_settings import GenicamSettings
from pipeline.config import Station
from pipeline.doctor.finding import Finding, fine, look, refused, wrong
from pipeline.doctor.room import holds_ring
from pipeline.errors import DatumdError
from pipeline.plans import plans_folder, profiles
from pipeline.precision import made_or_sealed, precision_file
from pipeline.preflight import refuse_missing
from pipeline.recipe import Recipe, find_recipes
from pipeline.runtime import SHARED_MEMORY
from pipeline.security import check_security


def cameras(station: Station) -> Iterator[Finding]:
    """Whether each camera's producer loads and shows it, or its files are there."""
    for name, settings in station.camera.items():
        try:
            refuse_missing(name, settings)
            text = _shown(settings) if isinstance(settings, GenicamSettings) else settings.__struct_config__.tag
            yield fine(f"camera {name}", str(text))
        except DatumdError as problem:
            yield refused(f"camera {name}", problem)
        except OSError as problem:  # a folder on the way that this user may not look into
            yield wrong(f"camera {name}", f"{problem.filename}: {problem.strerror}", "run it as the service's user")


def plans(station: Station) -> Iterator[Finding]:
    """What runs the networks here, and whether each has its plan in the cache where plans are needed."""
    folder = plans_folder(station.infer.plans)
    try:
        choice = choose(station.infer.backend, is_int8=station.infer.precision == "int8", plans=folder)
    except EngineUnavailable as problem:
        text = f"{station.infer.backend} cannot run: {problem.what}"
        if station.infer.backend in WITH_PLANS and station.infer.without_plan != "refuse":
            yield look("backend", f"{text}; the processor inspects instead", problem.next or 'backend = "auto"')
        else:
            yield wrong("backend", text, problem.next or 'backend = "auto" in [infer]')
        return
    yield fine("backend", str(choice))
    if choice.backend not in WITH_PLANS:
        return
    must = station.infer.backend in WITH_PLANS and station.infer.without_plan == "refuse"
    try:
        found = [one.recipe for one in find_recipes(Path(station.recipes))]
    except DatumdError as problem:
        yield refused("plans", problem)
        return
    for recipe in found:
        try:
            yield _planned(station, recipe, folder, is_must=must)
        except DatumdError as problem:
            yield refused("plans", problem)


def secrets(station: Station) -> Iterator[Finding]:
    """Whether keys can be read, and by their owner alone; and whether each bridge has what it needs."""
    if station.security is not None:
        try:
            clients = check_security(station.security)
            yield fine("keys", f"clients that may connect: {', '.join(clients) or 'none but the station itself'}")
        except DatumdError as problem:
            yield refused("keys", problem)
    for protocol in station.plc.protocols:
        try:
            yield fine(f"bridge {protocol}", check_bridge(station.plc, protocol))
        except DatumdError as problem:
            yield refused(f"bridge {protocol}", problem)


def ports(station: Station, shared: Path = SHARED_MEMORY) -> Iterator[Finding]:
    """Whether each address can be had, unless this very station runs and has them."""
    if holds_ring(shared / f"datumd-{station.station}.ring"):
        yield fine("ports", "the station runs and holds them")
        return
    try:
        refuse_taken(station)
        yield fine("ports", f"{', '.join(station.addresses.values())} are free")
    except DatumdError as problem:
        yield refused("ports", problem)


def _shown(settings: GenicamSettings) -> str:
    from pipeline.camera.genicam.producer import Producer  # noqa: PLC0415 - loads harvesters

    with Producer(Path(settings.producer)) as producer:
        label = producer.labels[producer.find(settings.serial)]
    return f"{label.serial or label.id} ({label.vendor} {label.model}) of {settings.producer}"


def _planned(station: Station, recipe: Recipe | DatumdError, folder: Path, *, is_must: bool) -> Finding:
    """Whether a recipe's networks have plans in `folder`. Raises DatumdError where the recipe or a file of it is refused."""
    if isinstance(recipe, DatumdError):
        raise recipe
    without = _without_plan(station, recipe, folder)
    if not without:
        return fine("plans", f"recipe {recipe.name} has all in {folder}; `datumd check` tries them")
    text = f"of recipe {recipe.name}, {folder} has none for {', '.join(without)}"
    todo = f"datumd build {recipe.folder} --precision {station.infer.precision}"
    return (wrong if is_must else look)("plans", text, todo)


def _without_plan(station: Station, recipe: Recipe, folder: Path) -> list[str]:
    missing = []
    for view in recipe.views.values():
        for path in profiles(view):
            wanted = made_or_sealed if view.is_of_defects(path) else precision_file
            file = wanted(recipe.folder, path, station.infer.precision).path
            if not has_plan(folder, hashlib.sha256(file.read_bytes()).hexdigest()):
                missing.append(f"{path.parent.name}/{path.name}")
    return missing
