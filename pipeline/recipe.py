"""A recipe as it is used: its file, the networks and thresholds of its views, and the lock that holds them together."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from pipeline import lock, segment_thresholds, thresholds
from pipeline.errors import DatumdError, RecipeError
from pipeline.lock import LockedView, Reference
from pipeline.recipe_file import FILE_NAME, RecipeFile, ViewSettings, read_recipe_file
from pipeline.recipe_measure import MeasureSettings
from pipeline.view_files import ViewFiles, read_view_files

NO_GUARD_BAND = "measurements are judged without a guard band: no calibration states their uncertainty"
GUARD_IS_0 = "measurements are judged without a guard band: guard is 0"
NOTHING_JUDGED = "nothing is judged, so every part that is found is OK: write measure, must_be_present or segment"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRecipe(ViewFiles):
    """One view: what was written, and the files beside it."""

    name: str
    settings: ViewSettings
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A part that can be inspected.

    Attributes:
        configuration_id: 16 hex digits that change with any file of the recipe; empty when not sealed.
        files: path in the folder to sha256 in hex; empty when not sealed.
        limit_px: how far keypoints may move on the reference frames.
        warnings: lines that a person should read once.
    """

    folder: Path
    file: RecipeFile
    views: dict[str, ViewRecipe]
    configuration_id: str
    files: dict[str, str]
    limit_px: float
    warnings: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name, the product's."""
        return self.file.name

    @property
    def number(self) -> int:
        """The number that the line selects it by."""
        return self.file.number


def load_recipe(folder: Path, *, sealed: bool = True) -> Recipe:
    """Load a recipe folder.

    Args:
        folder: holds recipe.toml, recipe.lock and a folder for every view.
        sealed: False reads the folder as it is, for the commands that train, evaluate and seal it.

    Raises:
        RecipeError: a file is missing or faulty; if `sealed`, also when it is not sealed or was changed since.
    """
    if not folder.is_dir():
        raise RecipeError("there is no such recipe folder", where=str(folder))
    locked, configuration_id = lock.read_lock(folder) if sealed else (None, "")
    if locked is not None:
        lock.verify(folder, locked)
    file = read_recipe_file(folder / FILE_NAME)
    if locked is not None and locked.views.keys() != file.view.keys():
        raise RecipeError(
            "locks other views than recipe.toml has",
            where=str(folder / lock.FILE_NAME),
            next_command=lock.seal_command(folder),
        )
    views = {}
    for name, settings in file.view.items():
        files = read_view_files(folder / name, settings.keypoints)
        if locked is not None and (other := _other_thresholds(locked.views[name], files)):
            raise RecipeError(
                f"locks other thresholds for view {name} than {other} has",
                where=str(folder / lock.FILE_NAME),
                next_command=lock.seal_command(folder),
            )
        references = tuple(locked.views[name].references) if locked else ()
        found = {field.name: getattr(files, field.name) for field in fields(files)}
        views[name] = ViewRecipe(**found, name=name, settings=settings, references=references)
    return Recipe(
        folder=folder,
        file=file,
        views=views,
        configuration_id=configuration_id,
        files=locked.files if locked else {},
        limit_px=locked.limit_px if locked else 0.0,
        warnings=warnings_of(file, views),
    )


def recipe_folders(folder: Path) -> list[Path]:
    """The folders in `folder` that hold a recipe.toml, but for hidden ones (.NAME). Raises RecipeError where there is none."""
    if not folder.is_dir():
        raise RecipeError("there is no such folder of recipes", where=str(folder))
    any(folder.iterdir())  # raises where it may not be read, which glob takes for empty
    found = sorted(path.parent for path in folder.glob(f"*/{FILE_NAME}") if path.parent.name[0] != ".")
    if not found:
        raise RecipeError("there is no recipe in it", where=str(folder), allowed=f"folders that hold a {FILE_NAME}")
    return found


@dataclass(frozen=True, slots=True)
class FoundRecipe:
    """What a folder of recipes holds: a recipe, or why it cannot be used.

    `number` and `name` are as in its recipe.toml; -1 and the folder's name where that cannot be read.
    """

    folder: Path
    number: int
    name: str
    recipe: Recipe | DatumdError


def find_recipes(folder: Path) -> list[FoundRecipe]:
    """Every recipe in `folder`, in the order of their folders' names.

    Of two good ones with the same number neither can be used: the line could not say which it means.

    Raises:
        RecipeError: there is no such folder, or none of a recipe in it.
    """
    found = [_find(path) for path in recipe_folders(folder)]
    return [_unless_twice(one, found) for one in found]


def choose(found: list[FoundRecipe], folder: Path, number: int | None) -> Recipe:
    """The recipe of this number among those found in `folder`; the only one there where `number` is None.

    Raises:
        DatumdError: there is no such one, or what is wrong with it.
    """
    numbered = sorted((one.number, one.name) for one in found if one.number >= 0)
    known = ", ".join(f"{number} ({name})" for number, name in numbered)
    if number is None and len(found) > 1:
        raise RecipeError("holds several recipes and none is chosen", where=str(folder), allowed=f"recipe = {known}")
    chosen = [one.recipe for one in found if number is None or one.number == number]
    chosen = chosen or [one.recipe for one in found if one.number < 0]  # one of these may be the one that is meant
    for recipe in chosen:
        if isinstance(recipe, Recipe):
            return recipe
    for fault in chosen:
        if isinstance(fault, DatumdError):
            raise fault
    raise RecipeError(f"has no recipe of number {number}", where=str(folder), allowed=known)


def _find(folder: Path) -> FoundRecipe:
    try:
        recipe = load_recipe(folder)
        return FoundRecipe(folder, recipe.number, recipe.name, recipe)
    except DatumdError as fault:
        try:
            file = read_recipe_file(folder / FILE_NAME)
        except DatumdError:
            return FoundRecipe(folder, -1, folder.name, fault)
        return FoundRecipe(folder, file.number, file.name, fault)


def _unless_twice(one: FoundRecipe, found: list[FoundRecipe]) -> FoundRecipe:
    twins = [two for two in found if two.number == one.number and isinstance(two.recipe, Recipe) and two is not one]
    if not twins or isinstance(one.recipe, DatumdError):
        return one
    others = ", ".join(twin.folder.name for twin in twins)
    fault = RecipeError(
        f"number {one.number} belongs to recipe {others}, too", where=f"{one.folder / FILE_NAME}: number"
    )
    return replace(one, recipe=fault)


def _other_thresholds(locked: LockedView, files: ViewFiles) -> str:
    """The file whose thresholds are not those that were locked; empty where all are."""
    if locked.thresholds != files.thresholds:
        return thresholds.FILE_NAME
    segment = None if files.segment is None else files.segment.thresholds
    return "" if locked.segment == segment else segment_thresholds.FILE_NAME


def warnings_of(file: RecipeFile, views: Mapping[str, ViewRecipe], stated: Collection[str] = ()) -> tuple[str, ...]:
    """What a person should know of a recipe.

    Args:
        file: recipe.toml.
        views: its views.
        stated: those whose camera has a calibration that states an uncertainty; the folder alone does not tell.
    """
    measured = {name: wanted for name, wanted in file.measure.items() if wanted.presence is None}
    if measured and file.guard == 0.0:
        return (GUARD_IS_0,)
    known = {*stated, *(name for name, view in views.items() if view.settings.scale_sigma_mm_per_px is not None)}
    unguarded = [
        name
        for name, wanted in measured.items()
        if file.view_of(wanted) not in known or not _has_sigmas(file, views[file.view_of(wanted)], wanted)
    ]
    if unguarded:
        return (NO_GUARD_BAND if len(unguarded) == len(measured) else f"{', '.join(unguarded)}: {NO_GUARD_BAND}",)
    is_judged = file.measure or any(view.must_be_present or view.segment is not None for view in file.view.values())
    return () if is_judged else (NOTHING_JUDGED,)


def _has_sigmas(file: RecipeFile, view: ViewRecipe, wanted: MeasureSettings) -> bool:
    """Whether the keypoints that its value is made from, if any, have calibrated sigmas."""
    return view.sigma is not None or all(name in file.edges for name in file.features(wanted))
