"""What an engineer may ask for: frames as they come, features of cameras, the recipe's regions, zones and tolerances, its seal."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec

from pipeline import lock
from pipeline.client import Control
from pipeline.errors import DatumdError, RecipeError
from pipeline.live_picture import PictureLine, Shown, Wanted
from pipeline.recipe import recipe_folders
from pipeline.runtime import Runtime
from pipeline.security import own_client_keys
from pipeline.sinks.web.board import Board
from pipeline.sinks.web.recall import recall
from pipeline.sinks.web.recipe_edit import Edit, recipe_folder, recipe_table, save
from pipeline.sinks.web.teach import Taught, good_parts, teach
from pipeline.status import StationState

TIMEOUT_S = 8.0
PATIENCE_S = 2.0  # of a wish, for the one before it
SEAL_LIMIT_S = 300.0
MOST_TAUGHT = 1000
LONGEST_OUTPUT = 4000


class NotSetUp(DatumdError):  # noqa: N818 - names the state that was found
    """The station is not being set up."""


class Busy(DatumdError):  # noqa: N818 - names the state that was found
    """Something else is being done, which this must not meet."""


class Unsealed(DatumdError):  # noqa: N818 - names the state that was found
    """A recipe was written and not sealed: the station would refuse it at its next start."""


class Enter(msgspec.Struct, frozen=True, tag="enter", tag_field="what"):
    """Begin to set the station up."""


class Leave(msgspec.Struct, frozen=True, tag="leave", tag_field="what"):
    """Have done; `anyway` = though a recipe is not sealed."""

    anyway: bool = False


class Adjust(msgspec.Struct, frozen=True, tag="adjust", tag_field="what"):
    """Set a camera's features, or with None read them."""

    camera: str
    features: dict[str, float | None]


class Trigger(msgspec.Struct, frozen=True, tag="trigger", tag_field="what"):
    """Inspect one part, for setting up."""


class Save(msgspec.Struct, frozen=True, tag="save", tag_field="what"):
    """Change the recipe's file."""

    number: int
    edits: Annotated[list[Edit], msgspec.Meta(min_length=1, max_length=100)]


class Seal(msgspec.Struct, frozen=True, tag="seal", tag_field="what"):
    """Seal the recipe, and let the station load it."""

    number: int


Wish = Enter | Leave | Adjust | Trigger | Save | Seal


class Workbench:
    """Carries wishes out; for any thread, one wish at a time, and one seal beside them."""

    def __init__(self, runtime: Runtime, board: Board) -> None:
        self._runtime, self._board = runtime, board
        self._keys = own_client_keys(runtime.station.security)
        self._line, self._looking = PictureLine(runtime.pictures_path), threading.Lock()
        self._working, self._sealing = threading.Lock(), threading.Lock()

    def frame(self, camera: str) -> tuple[Shown, bytes]:
        """The camera's newest frame as JPEG, with its figures."""
        with self._looking:
            return self._line.ask(Wanted(camera, longest_px=1600, figures=True))

    def recipe(self, number: int) -> dict[str, Any]:
        """What is written in the recipe's file, and which camera shows which view."""
        station = self._runtime.station
        folder = recipe_folder(Path(station.recipes), number)
        cameras = {view: camera for camera, view in station.views.items()}
        return {"file": recipe_table(folder), "folder": folder.name, "cameras": cameras}

    def taught(self, number: int, parts: int, sigmas: float) -> list[Taught]:
        """What the newest good parts, at most so many, say of the recipe's tolerances."""
        status = self._board.status
        if status is None:
            return []
        entry = next((one for one in status.recipes if one.number == number), None)
        table = recipe_table(recipe_folder(Path(self._runtime.station.recipes), number))
        newest = sum(status.results.values())
        results = recall(self._runtime.control_endpoint, self._keys, status.session, newest - MOST_TAUGHT, MOST_TAUGHT)
        good = good_parts(results, number, entry.configuration_id if entry else "")
        return teach(good[-parts:], table.get("measure", {}), sigmas)

    def do(self, wish: Wish, name: str) -> dict[str, Any]:
        """Carry it out in the name of this person; what there is to tell.

        Raises:
            DatumdError: it cannot be, and why.
        """
        alone = (self._sealing, 0.0) if isinstance(wish, Seal) else (self._working, PATIENCE_S)
        with (
            _held(*alone),
            Control(self._runtime.control_endpoint, self._keys, TIMEOUT_S, f"web {name}".strip()) as control,
        ):
            return self._do(wish, control)

    def _do(self, wish: Wish, control: Control) -> dict[str, Any]:
        recipes = Path(self._runtime.station.recipes)
        match wish:
            case Enter():
                control.setup(on=True)
            case Leave(anyway=anyway):
                self._refuse_sealing()
                if not anyway:
                    refuse_unsealed(recipes)
                control.setup(on=False)
            case Adjust(camera=camera, features=features):
                return {"values": control.adjust(camera, features)}
            case Trigger():
                return {"trigger": control.trigger(purpose="setup")}
            case Save(number=number, edits=edits):
                self._refuse_sealing()
                self._refuse_others(control)
                folder = recipe_folder(recipes, number)
                changed = save(folder, edits)
                control.note(f"{folder.name}/recipe.toml: {changed}"[:2000])
                return {"changed": changed}
            case Seal(number=number):
                self._refuse_others(control)
                return self._seal(control, recipe_folder(recipes, number))
        return {}

    def _refuse_sealing(self) -> None:
        if self._sealing.locked():
            raise Busy("a recipe is being sealed", where="setup", next_command="wait until it is")

    def _refuse_others(self, control: Control) -> None:
        if control.status().state is not StationState.Initialized:
            raise NotSetUp("the station is not being set up", where="setup", next_command="enter set-up first")

    def _seal(self, control: Control, folder: Path) -> dict[str, Any]:
        """As `datumd seal` does, in a process of its own: it loads networks."""
        command = [sys.executable, "-m", "pipeline", "seal", str(folder)]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=SEAL_LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            raise RecipeError(f"was not sealed within {SEAL_LIMIT_S:g} s", where=folder.name) from None
        said = (ended.stdout + ended.stderr)[-LONGEST_OUTPUT:]
        if ended.returncode:
            raise RecipeError(f"is not sealed: {said.strip()}", where=folder.name)
        control.note(f"{folder.name}: {said.strip().splitlines()[-1]}"[:2000])
        try:
            control.renew()
        except DatumdError as problem:  # somebody has ended set-up meanwhile
            raise RecipeError(
                f"is sealed, and not loaded ({problem.what})",
                where=folder.name,
                next_command="enter set-up, and seal it again",
            ) from None
        return {"output": said}


def refuse_unsealed(recipes: Path) -> None:
    """Raises Unsealed where a recipe that was sealed once differs from its lock, or there is none any more."""
    changed = []
    try:
        folders = [folder for folder in recipe_folders(recipes) if (folder / lock.FILE_NAME).exists()]
    except RecipeError as problem:
        raise Unsealed(str(problem)) from None
    for folder in folders:
        try:
            lock.verify(folder, lock.read_lock(folder)[0])
        except RecipeError as problem:
            changed.append(f"{folder.name}: {problem.what}")
    if changed:
        raise Unsealed(f"{'; '.join(changed)}. At its next start the station refuses it", next_command="seal it")


@contextmanager
def _held(alone: threading.Lock, patience_s: float) -> Iterator[None]:
    """Wishes do not queue up: whoever waits holds a thread that serves others. Raises Busy."""
    if not alone.acquire(timeout=patience_s):
        raise Busy("something else is being done", where="setup", next_command="try again")
    try:
        yield
    finally:
        alone.release()
