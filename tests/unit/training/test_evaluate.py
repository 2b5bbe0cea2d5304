from pathlib import Path

import pytest

from pipeline.commands.first_files import recipe_text
from pipeline.errors import RecipeError
from pipeline.recipe_file import read_recipe_file
from training.evaluate import matched
from training.method import load_method
from training.recipe_file import wanted_locate, write_recipe


def test_each_part_takes_the_region_that_overlaps_it_most() -> None:
    regions = [(0.0, 0.0, 10.0, 10.0), (100.0, 0.0, 12.0, 10.0), (98.0, 0.0, 10.0, 10.0)]
    boxes = [(99.0, 0.0, 10.0, 10.0), (1.0, 1.0, 8.0, 8.0), (300.0, 0.0, 5.0, 5.0)]
    assert matched(boxes, regions) == [2, 0, None]
    assert matched(boxes, []) == [None, None, None]
    assert matched([boxes[0], boxes[0]], regions[1:2]) == [0, None]


def test_a_recipe_is_written_once(square_method: Path, tmp_path: Path) -> None:
    method, path = load_method(square_method), tmp_path / "new" / "recipe.toml"
    assert write_recipe(path, method, "top", ("a", "b"))
    assert path.read_text().splitlines()[-3:] == [
        "[view.top]",
        "locate = { fixed = [0.0, 0.0, 192.0, 160.0] }",
        'keypoints = ["a", "b"]',
    ]
    path.write_text("mine")
    assert not write_recipe(path, method, "top", ("a", "b"))
    assert path.read_text() == "mine"


def test_a_recipe_in_which_nothing_was_taught_is_filled_in_once(square_method: Path, tmp_path: Path) -> None:
    method, path = load_method(square_method), tmp_path / "recipe.toml"
    path.write_text(recipe_text("cap", (640, 480)))
    assert wanted_locate(path, "top") is None  # the whole picture, as nobody has said otherwise
    twice = tmp_path / "twice.toml"
    twice.write_text(path.read_text().replace("# locate", "locate"))
    with pytest.raises(RecipeError, match="is not TOML"):
        wanted_locate(twice, "top")
    assert write_recipe(path, method, "top", ("a", "b"))
    assert wanted_locate(path, "top") == method.view.locate
    view = read_recipe_file(path).view["top"]
    assert view.keypoints == ["a", "b"]
    assert view.must_be_present == []
    assert view.locate.fixed == (0.0, 0.0, 192.0, 160.0)
    filled = path.read_text()
    assert filled.count("#") == recipe_text("cap", (640, 480)).count("#")
    assert not write_recipe(path, method, "top", ("c", "d"))
    assert path.read_text() == filled
