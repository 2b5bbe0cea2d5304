"""The store of recipes: what was inspected by can be loaded again, whatever becomes of the recipe's folder."""

import os
import re
import shutil
from pathlib import Path

import pytest

from pipeline.errors import DataError, RecipeError
from pipeline.evidence.recipe_store import RecipeStore
from pipeline.recipe import Recipe, load_recipe
from pipeline.sealing import seal
from tests.recipes import make_recipe

MEASURE = '[measure.width]\ndistance = ["a", "b"]\nnominal = 128.0\ntolerance = {}'


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return load_recipe(make_recipe(tmp_path / "recipes" / "part", ["top"], rest=MEASURE.format(2.0)))


def changed(recipe: Recipe, tolerance: float) -> Recipe:
    path = recipe.folder / "recipe.toml"
    path.write_text(re.sub(r"tolerance = .*", f"tolerance = {tolerance}", path.read_text()))
    seal(recipe.folder, {}, keep=1)
    return load_recipe(recipe.folder)


def files(store: RecipeStore) -> set[str]:
    return {path.name for path in store.folder.glob("files/*/*")}


def test_a_recipe_comes_back_as_it_was_sealed(recipe: Recipe, tmp_path: Path) -> None:
    store = RecipeStore(tmp_path / "store")
    store.keep(recipe, {})
    other = changed(recipe, 3.0)
    store.keep(other, {})
    store.keep(other, {})
    assert files(store) == {*recipe.files.values(), *other.files.values()}  # networks once
    shutil.rmtree(recipe.folder)
    for one in (recipe, other):
        into = tmp_path / one.configuration_id
        into.mkdir()
        again = load_recipe(store.restore(one.configuration_id, {}, into))
        assert (again.configuration_id, again.file) == (one.configuration_id, one.file)


def test_a_recipe_that_changes_meanwhile_is_not_kept_as_what_it_was(recipe: Recipe, tmp_path: Path) -> None:
    store = RecipeStore(tmp_path / "store")
    (recipe.folder / "recipe.toml").write_text("format = 1")
    with pytest.raises(RecipeError, match="was changed while it was kept"):
        store.keep(recipe, {})
    assert not store.has(recipe.configuration_id)
    with pytest.raises(DataError, match="is not kept here"):
        store.restore(recipe.configuration_id, {}, tmp_path)
    assert not list(store.folder.rglob("*.part"))


def test_what_was_not_used_for_longest_makes_room(recipe: Recipe, tmp_path: Path) -> None:
    store = RecipeStore(tmp_path / "store")
    store.keep(recipe, {})
    other = changed(recipe, 3.0)
    store.keep(other, {})
    os.utime(store.folder / "locks" / f"{recipe.configuration_id}.lock", ns=(2**62, 2**62))  # used after the other
    tight = RecipeStore(store.folder, most_bytes=sum(path.stat().st_size for path in store.folder.glob("files/*/*")))
    last = changed(recipe, 4.0)
    tight.keep(last, {})
    assert [store.has(one.configuration_id) for one in (recipe, other, last)] == [True, False, True]
    assert files(store) == {*recipe.files.values(), *last.files.values()}


def test_what_is_damaged_is_told(recipe: Recipe, tmp_path: Path) -> None:
    store = RecipeStore(tmp_path / "store")
    store.keep(recipe, {})
    sha256 = recipe.files["top/coarse.onnx"]
    (store.folder / "files" / sha256[:2] / sha256).write_bytes(b"rot")
    (tmp_path / "into").mkdir()
    with pytest.raises(DataError, match=r"top/coarse\.onnx .* is missing or damaged"):
        store.restore(recipe.configuration_id, {}, tmp_path / "into")


def test_a_recipe_that_is_too_large_for_the_disk_displaces_nothing(recipe: Recipe, tmp_path: Path) -> None:
    store = RecipeStore(tmp_path / "store")
    store.keep(recipe, {})
    other = changed(recipe, 3.0)
    with pytest.raises(OSError, match="all recipes may take 1000 on this disk"):
        RecipeStore(store.folder, most_bytes=1000).keep(other, {})
    assert [store.has(one.configuration_id) for one in (recipe, other)] == [True, False]
