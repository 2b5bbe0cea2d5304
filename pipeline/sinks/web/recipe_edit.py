"""A recipe's file, changed by an engineer at the page: read, changed where it may be, checked whole, put in its place."""

import os
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec

from pipeline.errors import RecipeError
from pipeline.recipe import recipe_folders
from pipeline.recipe_file import FILE_NAME, read_recipe_file
from pipeline.toml_edit import edited, rendered

LARGEST_BYTES = 1_000_000
NEW_NAME = ".recipe.toml.new"
VIEW_KEYS = ("locate", "image")
Value = dict[str, Any] | list[Any] | bool | int | float | str | None


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One value at its place, such as ["view", "top", "locate"]; None removes it."""

    path: Annotated[list[str], msgspec.Meta(min_length=2, max_length=6)]
    value: Value = None


def recipe_folder(recipes: Path, number: int) -> Path:
    """The folder of the recipe with this number. Raises RecipeError where there is none that can be read."""
    for folder in recipe_folders(recipes):
        with suppress(RecipeError):
            if read_recipe_file(folder / FILE_NAME).number == number:
                return folder
    raise RecipeError(f"there is no recipe {number} whose file can be read", where=str(recipes))


def recipe_table(folder: Path) -> dict[str, Any]:
    """What is written in the recipe's file."""
    return tomllib.loads((folder / FILE_NAME).read_text(encoding="utf-8"))


def save(folder: Path, edits: Sequence[Edit]) -> str:
    """Change the file; it is replaced only by one that is a recipe. Returns what was changed, with what was there before.

    Raises:
        RecipeError: an edit is not for here, what comes out is no recipe, or it cannot be written.
    """
    path, new = folder / FILE_NAME, folder / NEW_NAME
    text = path.read_text(encoding="utf-8")
    before = tomllib.loads(text)
    told = []
    for edit in edits:
        is_view = edit.path[0] == "view" and len(edit.path) > 2 and edit.path[2] in VIEW_KEYS
        if not is_view and edit.path[0] not in ("zone", "measure"):
            raise RecipeError(f"{'.'.join(edit.path)} is not changed here", where=str(path), next_command="an editor")
        text = edited(text, edit.path, edit.value, str(path))
        told.append(f"{'.'.join(edit.path)} = {_shown(edit.value)} (was {_shown(_at(before, edit.path))})")
    try:
        new.write_text(text, encoding="utf-8")
        try:
            read_recipe_file(new)
            os.replace(new, path)  # noqa: PTH105 - as its name says
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    except OSError as problem:
        raise RecipeError(f"cannot be written ({problem.strerror})", where=str(path)) from None
    return "; ".join(told)


def _at(table: dict[str, Any], path: Sequence[str]) -> Value:
    value: Any = table
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    found: Value = value
    return found


def _shown(value: Value) -> str:
    return "nothing" if value is None else rendered(value)
