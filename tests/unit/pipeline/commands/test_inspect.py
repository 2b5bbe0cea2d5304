"""`datumd inspect`: images by a recipe, in the order given, one bad file or not."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli import main
from pipeline.commands.export_csv import COLUMNS
from tests.recipes import draw_part, frame_with_part, make_recipe

MEASURED = """
[measure.width]
distance = ["a", "b"]
nominal = 128.0
tolerance = 2.0
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recipe(tmp_path_factory.mktemp("recipes") / "dots", ["top"], rest=MEASURED)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A good part in colour, a file that is none, and one whose dot b has moved."""
    folder = tmp_path / "shots"
    folder.mkdir()
    cv2.imwrite(str(folder / "1-good.png"), cv2.cvtColor(frame_with_part(), cv2.COLOR_GRAY2BGR))
    (folder / "2-torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "notes.txt").write_text("not looked at")
    wide = frame_with_part()
    wide[:128, 128:] = frame_with_part(shift_px=(5.0, 0.0))[:128, 128:]
    cv2.imwrite(str(folder / "3-wide.png"), wide)
    return folder


def test_a_folder_gives_a_row_for_each_part_and_a_bad_file_holds_up_nothing(
    recipe: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, drawn = tmp_path / "shots.csv", tmp_path / "drawn"
    assert main(["inspect", str(images), "--recipe", str(recipe), "--csv", str(table), "--out", str(drawn)]) == 1
    told = capsys.readouterr()
    good, wide, summary = told.out.splitlines()
    assert good.startswith("OK            PASS ")
    assert "1-good.png: width 128.0" in good
    assert wide.startswith("NOT_OK        REJECT ")
    assert "3-wide.png: width.high 133" in wide
    assert summary == "2 of 3 image(s) inspected; parts: 1 NOT_OK, 1 OK"
    assert told.err.count("\n") == 1
    assert "2-torn.png" in told.err
    with table.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == [*COLUMNS, "width"]
    assert [Path(row[4]).name for row in rows] == ["1-good.png", "3-wide.png"]
    assert [row[7:9] for row in rows] == [["OK", "PASS"], ["NOT_OK", "REJECT"]]
    assert float(rows[1][-1]) == pytest.approx(133.0, abs=0.2)
    assert sorted(path.name for path in drawn.iterdir()) == ["1-good.png", "3-wide.png"]
    picture = cv2.imread(str(drawn / "3-wide.png"))
    assert picture is not None
    assert picture.shape == (256, 256, 3)
    assert (picture[:, :, 2].astype(int) - picture[:, :, 1]).max() > 100  # what is out of tolerance is red


def test_json_is_results_alone_and_verdicts_are_no_failure_unless_asked(
    recipe: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = str(images / "3-wide.png")
    assert main(["inspect", wide, "--recipe", str(recipe), "--json"]) == 0
    (text,) = capsys.readouterr().out.splitlines()
    result = json.loads(text)
    assert (result["part_id"], result["result_evaluation"], result["purpose"]) == (wide, "NOT_OK", "setup")
    assert result["trigger_number"] is None
    assert result["views"][0]["image_uri"] == (images / "3-wide.png").as_uri()
    assert main(["inspect", wide, "--recipe", str(recipe), "--fail-on-not-ok"]) == 3
    assert main(["inspect", str(images / "1-good.png"), "--recipe", str(recipe), "--fail-on-not-ok"]) == 0


def test_each_part_of_an_image_has_a_row_and_a_picture_and_names_that_meet_are_kept_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nests = "{ nests = [[0, 0, 256, 256], [256, 0, 256, 256]] }"
    recipe = make_recipe(tmp_path / "tray", ["top"], locate=nests, sealed=False)
    tray = np.full((256, 512), 10, np.uint8)
    draw_part(tray, (0, 0, 256, 256))
    draw_part(tray, (256, 0, 256, 256))
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "tray.png"), tray)
    assert main(["seal", str(recipe), "--frames", str(tmp_path / "one")]) == 0
    capsys.readouterr()
    drawn = tmp_path / "drawn"
    given = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert main(["inspect", *given, "--recipe", str(recipe), "--out", str(drawn)]) == 0
    assert capsys.readouterr().out.count(" part 2 of 2") == 2
    assert {path.stem for path in drawn.iterdir()} == {"tray-1", "tray-2", "tray-1~2", "tray-2~2"}


def test_of_a_recipe_with_several_views_one_is_named_and_judged_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = MEASURED + 'view = "top"\n'
    recipe = make_recipe(tmp_path / "both", ["top", "side"], rest=measured)
    image = tmp_path / "part.png"
    cv2.imwrite(str(image), frame_with_part())
    assert main(["inspect", str(image), "--recipe", str(recipe)]) == 2
    assert "--view: the recipe has several views" in capsys.readouterr().err
    assert main(["inspect", str(image), "--recipe", str(recipe), "--view", "side"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("OK ")
    assert "width" not in told
    assert told.endswith("parts: 1 OK; of view side alone, the recipe has 2\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "UNSEALED"], "datumd seal"),
        (["--recipe", "RECIPE", "--view", "side"], "the recipe has no view side; allowed: top"),
        (["--recipe", "RECIPE", "--out", "IMAGES", "--force"], "holds images that are inspected"),
        (["--recipe", "RECIPE", "--out", "UNSEALED"], "is not empty; next: add --force"),
        (["--recipe", "RECIPE", "--csv", "UNSEALED/recipe.toml"], "is there already; next: add --force"),
        (["--recipe", "RECIPE", "--threads", "0"], "--threads: is 0; allowed: 1 to 64"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_nothing_is_touched(
    recipe: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    unsealed = tmp_path / "unsealed"
    unsealed.mkdir()
    (unsealed / "recipe.toml").write_text((recipe / "recipe.toml").read_text())
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    places = {"RECIPE": recipe, "IMAGES": images, "UNSEALED": unsealed}
    given = [str(unsealed / "recipe.toml") if "/" in one else str(places.get(one, one)) for one in arguments]
    assert main(["inspect", str(images), *given]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert message in told.err
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_a_path_that_is_not_there_and_a_name_of_any_bytes(
    recipe: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = tmp_path / "a\udcff\n.png"
    strange.write_bytes((images / "1-good.png").read_bytes())
    assert main(["inspect", str(tmp_path / "nowhere.png"), str(strange), "--recipe", str(recipe)]) == 1
    told = capsys.readouterr()
    assert "nowhere.png: cannot be read (No such file or directory)" in told.err
    assert "a\ufffd\\n.png: width 128" in told.out
