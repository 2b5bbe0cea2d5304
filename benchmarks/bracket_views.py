"""The example recipe with several views, each with its own networks, keypoints and measurements: what four cameras look at."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bare import RECIPE, VIEW
from pipeline.recipe_file import FILE_NAME
from pipeline.sealing import seal

_TABLE = re.compile(rf"^\[view\.{VIEW}\]\n(.*?)(?=^\[)", re.MULTILINE | re.DOTALL)
_MEASURE = re.compile(r"^\[measure\][^\n]*\n(.*)", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^(\w+)\s*=\s*\{", re.MULTILINE)


def write_views(folder: Path, views: Sequence[str]) -> Path:
    """Write a sealed recipe below `folder`, every view of it being that of the example. Returns its folder."""
    recipe = folder / RECIPE.name
    text = (RECIPE / FILE_NAME).read_text(encoding="utf-8")
    view, measure = _TABLE.search(text), _MEASURE.search(text)
    if view is None or measure is None:
        raise RuntimeError(f"{RECIPE / FILE_NAME} has another form")
    tables = "".join(f"[view.{name}]\n{view[1]}" for name in views)
    entries = "".join(_ENTRY.sub(rf'\1_{name} = {{ view = "{name}",', measure[1]) for name in views)
    for name in views:
        shutil.copytree(RECIPE / VIEW, recipe / name)
    (recipe / FILE_NAME).write_text(
        text[: view.start()] + tables + text[view.end() : measure.start(1)] + entries, encoding="utf-8"
    )
    seal(recipe, {}, keep=1)
    return recipe
