"""`datumd check`: one line for each thing, and what is wrong at the end."""

from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from pipeline.cli import main
from tests.recipes import frame_with_part, make_recipe
from tests.stations import write_station


@pytest.fixture
def station(tmp_path: Path, free_port: Callable[[], int]) -> Path:
    make_recipe(tmp_path / "recipes" / "first", ["top"], number=1, rest='[measure]\nw = { distance = ["a", "b"] }')
    make_recipe(tmp_path / "recipes" / "second", ["top"], number=2)
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "1.png"), frame_with_part())
    camera = 'recipe = 2\n[camera.top]\ntype = "folder"\npath = "pictures"\n'
    return write_station(tmp_path, "check", tmp_path / "recipes", free_port(), free_port(), camera)


def checked(station: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str], str]:
    code = main(["check", str(station)])
    shown = capsys.readouterr()
    return code, shown.out.splitlines(), shown.err


def test_everything_in_order_is_told_line_by_line(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, errors = checked(station, capsys)
    assert (code, errors) == (0, "")
    assert all(line.startswith("ok    ") for line in lines)
    text = "\n".join(lines)
    assert "camera top: " in text
    assert "recipe first: first, number 1, configuration " in text
    assert "warning: measurements are judged without a guard band" in text
    assert "within 0.000 px on 1 reference frame(s), onnxruntime" in text
    assert "addresses: " in text
    assert "recipe to start with: second, number 2" in text


def test_a_recipe_that_nobody_started_is_checked_too(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (station.parent / "recipes" / "first" / "recipe.toml").open("a") as file:
        file.write("# a small edit\n")
    code, lines, errors = checked(station, capsys)
    assert code == 2
    assert [line.split(":")[0] for line in lines if line.startswith("WRONG")] == ["WRONG recipe first"]
    assert "first/recipe.toml: was changed since the recipe was sealed; next: datumd seal " in errors
    assert any(line.startswith("ok    recipe second") for line in lines)


def test_several_things_wrong_are_all_told(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (station.parent / "pictures" / "1.png").unlink()
    (station.parent / "pictures").rmdir()
    (station.parent / "recipes" / "second" / "recipe.lock").unlink()
    code, lines, errors = checked(station, capsys)
    assert code == 2
    wrong = [line.split(":")[0] for line in lines if line.startswith("WRONG")]
    assert wrong == ["WRONG camera top", "WRONG recipe second"]
    assert "2 things are wrong, see above" in errors


def test_views_of_recipe_and_cameras_must_agree(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    station.write_text(station.read_text().replace("[camera.top]", "[camera.left]"))
    code, _, _ = checked(station, capsys)
    assert code == 2
