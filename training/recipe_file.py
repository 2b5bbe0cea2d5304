"""A first recipe.toml for a trained view."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pipeline.errors import RecipeError
from pipeline.recipe_file import LocateSettings, read_recipe_file
from pipeline.toml_edit import edited
from pipeline.untaught import is_untaught
from training.method import Method


def write_recipe(path: Path, method: Method, view: str, keypoints: Sequence[str]) -> bool:
    """Write ``path`` with the method's name, number and locate, unless it is there.

    Of one that is there and in whose view nothing was taught yet, as `datumd init` writes it, locate and keypoints are
    filled in, and nothing must be present any more. Returns whether anything was written.
    """
    if path.exists():
        return _fill_in(path, method, view, keypoints)
    text = [
        "format = 1",
        f"name = {_inline(method.name)}",
        f"number = {method.number}",
        "",
        f"[view.{view}]",
        f"locate = {_inline(method.view.locate)}",
        f"keypoints = {_inline(list(keypoints))}",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(text) + "\n")
    return True


def wanted_locate(path: Path, view: str) -> LocateSettings | None:
    """How a recipe that is there finds its parts; None where there is none, or nothing was taught and its region is fixed yet.

    Raises:
        RecipeError: it cannot be read. Nobody wants to train for minutes into a recipe that no station can load.
    """
    settings = read_recipe_file(path).view.get(view) if path.exists() else None
    if settings is None or (is_untaught(settings) and settings.locate.fixed is not None):
        return None
    return settings.locate


def _fill_in(path: Path, method: Method, view: str, keypoints: Sequence[str]) -> bool:
    try:
        settings = read_recipe_file(path).view.get(view)
        if settings is None or not is_untaught(settings):
            return False
        text = path.read_text()
        locate = tomllib.loads(f"locate = {_inline(method.view.locate)}")["locate"]
        for key, value in (("locate", locate), ("keypoints", list(keypoints)), ("must_be_present", [])):
            text = edited(text, ("view", view, key), value, str(path))
    except RecipeError:  # somebody's own, which `datumd seal` will tell of
        return False
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(text)
    draft.replace(path)
    return True


def _inline(value: object) -> str:
    """A value as TOML on one line; of a struct only what differs from its defaults."""
    if isinstance(value, msgspec.Struct):
        fields = [field for field in msgspec.structs.fields(value) if getattr(value, field.name) != field.default]
        return "{ " + ", ".join(f"{field.name} = {_inline(getattr(value, field.name))}" for field in fields) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return msgspec.json.encode(value).decode()  # JSON texts, numbers and booleans are TOML
