"""The parts of an archive by the recipe that is to inspect them."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config import InferSettings
from pipeline.errors import DataError, DatumdError, RecipeError
from pipeline.evidence import record
from pipeline.evidence.recipe_store import RecipeStore
from pipeline.evidence.run_record import RunRecord, read_runs, run_of
from pipeline.recipe import Recipe, find_recipes, load_recipe
from pipeline.recipe_file import FILE_NAME
from pipeline.replay.archive import ArchivedPart, results_of
from pipeline.replay.attempt import planes_then, settings_of
from pipeline.replay.rerun import Job
from pipeline.replay.trial_run import passing_in
from pipeline.result import Result

NEWEST_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Group:
    """Parts that one recipe inspects."""

    recipe: Recipe
    job: Job
    parts: list[ArchivedPart] = field(default_factory=list)


@contextmanager
def grouped(
    archive: Path, parts: Sequence[ArchivedPart], recipes: Path | None, backend: str
) -> Iterator[tuple[list[Group], Counter[str]]]:
    """Each part to the recipe that inspected it, out of the archive's store; or to the one of its number in `recipes`.

    The recipes lie in a folder that is removed in the end. With the groups: why parts are in none, and how many.

    Args:
        archive: a station's state folder, or another one, without a store.
        parts: of it.
        recipes: a recipe, or a folder of recipes; None for those of the store.
        backend: what runs the networks instead of what ran them; "" for that.

    Raises:
        RecipeError: `recipes` holds none that can be used.
    """
    store = RecipeStore.of(archive)
    runs = read_runs(store.folder)
    given = None if recipes is None else {one.number: one for one in _usable(recipes)}
    groups: dict[str, Group] = {}
    left: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="datumd-replay-") as scratch:
        for part in parts:
            try:
                told = first_result(part)
                key = told.configuration_id if given is None else str(told.recipe_id)
                if key not in groups:
                    recipe = _kept(store, runs, key, Path(scratch)) if given is None else given.get(told.recipe_id)
                    if recipe is None:
                        raise RecipeError(f"no recipe of number {key} is in {recipes}")
                    groups[key] = Group(recipe, _job(archive, store, recipe, runs, backend))
                groups[key].parts.append(part)
            except (OSError, DatumdError) as problem:
                left[str(problem)] += 1
        yield list(groups.values()), left


def first_result(part: ArchivedPart) -> Result:
    """The first of the results in the text beside its image. Raises DataError."""
    image = next(iter(part.images.values()))
    found = results_of(record.read_text(image).result, image)
    if not found:
        raise DataError("holds no result", where=str(record.text_path(image)))
    return found[0]


def _kept(store: RecipeStore, runs: Sequence[RunRecord], configuration_id: str, scratch: Path) -> Recipe:
    run = run_of(runs, configuration_id, NEWEST_NS)
    folder = scratch / (configuration_id or "none")
    folder.mkdir(exist_ok=True)
    return load_recipe(store.restore(configuration_id, run[1].derived if run else {}, folder))


def _job(archive: Path, store: RecipeStore, recipe: Recipe, runs: Sequence[RunRecord], backend: str) -> Job:
    run = run_of(runs, recipe.configuration_id, NEWEST_NS)
    planes = planes_then(store, run[0] if run else None)
    return Job(recipe.folder, settings_of(run, InferSettings(), backend), planes, passing_in(archive))


def _usable(recipes: Path) -> list[Recipe]:
    if (recipes / FILE_NAME).is_file():
        return [load_recipe(recipes)]
    found = [one.recipe for one in find_recipes(recipes) if isinstance(one.recipe, Recipe)]
    if not found:
        raise RecipeError("holds no recipe that can be used", where=str(recipes))
    return found
