"""A verdict opened again: what was decided, by what, whether the same comes out again, and what would be decided now."""

import difflib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pipeline.config import InferSettings
from pipeline.errors import DatumdError, RecipeError
from pipeline.evidence.recipe_store import RecipeStore
from pipeline.evidence.run_record import Machine, read_runs, run_of, this_machine
from pipeline.inspectors import open_inspector
from pipeline.ledger.journal_rows import AuditEntry
from pipeline.recipe import Recipe, find_recipes, load_recipe
from pipeline.recipe_file import FILE_NAME
from pipeline.replay.archive import LoadedPart, pack, unpack
from pipeline.replay.attempt import Attempt, Planes, Run, open_or_replace, planes_then, settings_of, try_again
from pipeline.replay.lookup import Found, audits_since, look_up
from pipeline.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that is known of one result.

    Attributes:
        found: the result, and what was kept of it.
        part: its frames; None where an image is missing.
        store: of the station, where the calibrations of that day lie.
        recipe: the one of that day, in a folder that is removed in the end; None where it was not kept.
        run: what ran then; None where nobody wrote it down.
        machine: this one.
        again: an inspection by the recipe of that day.
        now: by the one that is installed under its number now, where that is another one.
        faults: why there is no `recipe`, `again` or `now`.
        changes: lines of recipe.toml that are otherwise now, as a unified diff.
        audits: what was changed at the station since.
    """

    found: Found
    part: LoadedPart | None
    store: RecipeStore
    recipe: Recipe | None
    run: Run | None
    machine: Machine
    again: Attempt | None
    now: Attempt | None
    faults: dict[str, str] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    audits: list[AuditEntry] = field(default_factory=list)

    @property
    def asked(self) -> Result:
        """The result that was asked for."""
        return self.found.asked


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look.

    Attributes:
        state_folder: the station's, or a copy.
        recipes: the folder of its recipes, or one recipe; None where only what was kept is to be used.
        infer: how the station runs networks now.
        planes: what its cameras' calibrations say now.
        backend: instead of the one of that day; "" for that one.
    """

    state_folder: Path
    recipes: Path | None
    infer: InferSettings
    planes: Planes = field(default_factory=dict)
    backend: str = ""


@contextmanager
def explained(place: Place, result_id: str) -> Iterator[Explanation]:
    """Open a verdict again. What cannot be had is among the faults; the rest is told all the same.

    Raises:
        DataError: there is no such result.
        JournalError: the journal cannot be read.
    """
    found = look_up(place.state_folder, result_id)
    asked, faults = found.asked, dict[str, str]()
    store = RecipeStore.of(place.state_folder)
    answered_ns = utc_ns_of(asked)
    run = run_of(read_runs(store.folder), asked.configuration_id, answered_ns)
    part = _part(found, faults)
    with tempfile.TemporaryDirectory(prefix="datumd-why-") as scratch:
        recipe = _of_that_day(place, store, asked, run, Path(scratch), faults)
        again = now = None
        if part is not None and recipe is not None:
            again = _again(place, store, part, recipe, run, faults)
        installed = _installed(place, asked, faults)
        if part is not None and installed is not None:
            now = _now(place, part, installed, run, faults)
        yield Explanation(
            found=found,
            part=part,
            store=store,
            recipe=recipe,
            run=run,
            machine=this_machine(),
            again=again,
            now=now,
            faults=faults,
            changes=_changes(recipe, installed),
            audits=audits_since(place.state_folder, answered_ns),
        )


def utc_ns_of(result: Result) -> int:
    """When it was answered, in ns since 1970; 0 where its text is no time."""
    try:
        return round(datetime.fromisoformat(result.answered_time).timestamp() * 1e6) * 1000
    except ValueError:
        return 0


def _part(found: Found, faults: dict[str, str]) -> LoadedPart | None:
    try:
        if found.missing or not found.images:
            lost = [f"the image of view {view} {why}" for view, why in found.missing.items()]
            faults["part"] = "; ".join(lost) or "no camera gave an image"
            return None
        return replace(unpack(pack(found.part)), results=found.results)
    except DatumdError as problem:
        faults["part"] = str(problem)
        return None


def _of_that_day(
    place: Place, store: RecipeStore, asked: Result, run: Run | None, scratch: Path, faults: dict[str, str]
) -> Recipe | None:
    """Out of the store, or out of the folder of recipes where it is still there."""
    try:
        if store.has(asked.configuration_id):
            derived = run[1].derived if run else {}
            folder = scratch / "recipe"
            folder.mkdir()
            return load_recipe(store.restore(asked.configuration_id, derived, folder))
    except (OSError, DatumdError) as problem:
        faults["recipe"] = f"what was kept of recipe {asked.configuration_id} cannot be used: {problem}"
    for recipe in _at_hand(place):
        if recipe.configuration_id == asked.configuration_id:
            return recipe
    if asked.configuration_id:
        faults.setdefault("recipe", f"recipe {asked.product_id} {asked.configuration_id} was not kept, and is gone")
    else:
        faults.setdefault("recipe", "the result names no recipe")
    return None


def _at_hand(place: Place) -> list[Recipe]:
    """The good recipes that are installed."""
    if place.recipes is None:
        return []
    try:
        if (place.recipes / FILE_NAME).is_file():
            return [load_recipe(place.recipes)]
        return [one.recipe for one in find_recipes(place.recipes) if isinstance(one.recipe, Recipe)]
    except RecipeError:
        return []


def _again(
    place: Place, store: RecipeStore, part: LoadedPart, recipe: Recipe, run: Run | None, faults: dict[str, str]
) -> Attempt | None:
    infer = settings_of(run, place.infer, place.backend)
    try:
        planes = place.planes if run is None else planes_then(store, run[0])
        opened = open_inspector if place.backend else open_or_replace
        return try_again(part, opened(infer, recipe, planes), infer.threads, run, this_machine())
    except DatumdError as problem:
        faults["again"] = str(problem)
        return None


def _installed(place: Place, asked: Result, faults: dict[str, str]) -> Recipe | None:
    """The recipe that a part of this kind is inspected by now; None where it is the same."""
    if place.recipes is None:
        return None
    recipe = next((one for one in _at_hand(place) if one.number == asked.recipe_id), None)
    if recipe is None:
        faults["now"] = f"no recipe of number {asked.recipe_id} that can be used is installed in {place.recipes}"
        return None
    return recipe if recipe.configuration_id != asked.configuration_id else None


def _now(place: Place, part: LoadedPart, recipe: Recipe, run: Run | None, faults: dict[str, str]) -> Attempt | None:
    try:
        if missing := part.frames.keys() ^ recipe.views.keys():
            raise RecipeError(f"has other views: {', '.join(sorted(missing))}", where=recipe.name)
        inspector = open_inspector(place.infer, recipe, place.planes)
        return try_again(part, inspector, place.infer.threads, run, this_machine())
    except DatumdError as problem:
        faults["now"] = str(problem)
        return None


def _changes(then: Recipe | None, now: Recipe | None) -> list[str]:
    if then is None or now is None:
        return []
    before, after = (
        (one.folder / FILE_NAME).read_text(encoding="utf-8", errors="replace").splitlines() for one in (then, now)
    )
    lines = list(difflib.unified_diff(before, after, "then", "now", lineterm="", n=1))
    changed = [name for name, sha256 in now.files.items() if then.files.get(name) != sha256 and name != FILE_NAME]
    changed += [name for name in then.files if name not in now.files]
    return lines + [f"other file: {name}" for name in changed]
