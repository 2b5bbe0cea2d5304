"""A first recipe.toml for a trained view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from training.method import Method


def write_recipe(path: Path, method: Method, view: str, keypoints: Sequence[str]) -> bool:
    """Write ``path`` with the method's name, number and locate, unless it is there. Returns whether it was written."""
    if path.exists():
        return False
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


def _inline(value: object) -> str:
    """A value as TOML on one line; of a struct only what differs from its defaults."""
    if isinstance(value, msgspec.Struct):
        fields = [field for field in msgspec.structs.fields(value) if getattr(value, field.name) != field.default]
        return "{ " + ", ".join(f"{field.name} = {_inline(getattr(value, field.name))}" for field in fields) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return msgspec.json.encode(value).decode()  # JSON texts, numbers and booleans are TOML
