"""Recipes that look for defects are held to those of their reference frames."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from pipeline.cli import main
from pipeline.errors import RecipeError
from pipeline.inspector import Inspector
from pipeline.lock import read_lock, write_lock
from pipeline.qualify import qualify
from pipeline.recipe import Recipe, load_recipe
from pipeline.result import Defect, DefectMask
from tests.recipes import frame_with_part
from tests.segment_networks import make_defect_recipe, with_defect

REFERENCE = with_defect(frame_with_part(), 120, 100)
TOO_WIDE = '[measure]\nwidth = { distance = ["a", "b"], nominal = 100, tolerance = 1 }\n'


def relocked(folder: Path, *defects: Defect) -> Recipe:
    """The recipe, as if these defects had been found when it was sealed."""
    lock, _ = read_lock(folder)
    (reference,) = lock.views["top"].references
    part = msgspec.structs.replace(reference.parts[0], defects=list(defects))
    view = msgspec.structs.replace(lock.views["top"], references=[msgspec.structs.replace(reference, parts=[part])])
    write_lock(folder, msgspec.structs.replace(lock, views={"top": view}))
    return load_recipe(folder)


def sealed_defect(folder: Path) -> Defect:
    (defect,) = read_lock(folder)[0].views["top"].references[0].parts[0].defects
    return defect


def test_defects_of_a_reference_frame_are_sealed_and_found_again(tmp_path: Path) -> None:
    recipe = load_recipe(make_defect_recipe(tmp_path / "part", reference=REFERENCE))
    assert sealed_defect(recipe.folder).box == (120.0, 100.0, 16.0, 8.0)
    qualification = qualify(recipe, Inspector.load(recipe))
    assert (qualification.frames, qualification.min_iou) == (1, 1.0)


def test_they_are_looked_for_even_where_the_station_would_not(tmp_path: Path) -> None:
    folder = make_defect_recipe(tmp_path / "part", reference=REFERENCE, segment='when = "needed"', zones=TOO_WIDE)
    assert sealed_defect(folder).area_px == 128.0


def test_other_defects_are_refused(tmp_path: Path) -> None:
    folder = make_defect_recipe(tmp_path / "part", reference=REFERENCE)
    defect = sealed_defect(folder)
    for defects, what in (
        ((), "shows defect of 128 px2 at (128, 104) that should not be there on onnxruntime"),
        ((defect, _moved(defect, 60.0)), "shows no defect of 128 px2 at (188, 104) on onnxruntime"),
        ((_moved(defect, 8.0),), "shows defect of 128 px2 at (136, 104) with an IoU of 0.333, allowed 0.98"),
        ((msgspec.structs.replace(defect, score=0.8),), "a score that moved by 0.1"),
    ):
        recipe = relocked(folder, *defects)
        with pytest.raises(RecipeError) as caught:
            qualify(recipe, Inspector.load(recipe))
        assert "0001.png: " in str(caught.value)
        assert what in str(caught.value)
        assert "allowed: the defects that it was sealed with; next: datumd seal" in str(caught.value)


def _moved(defect: Defect, x: float) -> Defect:
    mask = msgspec.structs.replace(defect.mask, x=defect.mask.x + x)
    assert isinstance(mask, DefectMask)
    return msgspec.structs.replace(defect, mask=mask, box=(mask.x, *defect.box[1:]))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"counts": [0, 9]}, "runs of 9 cells, the mask has 4 x 2"),
        ({"counts": [9, -1]}, "Expected `int` >= 0"),
        ({"columns": 0, "counts": []}, "Expected `int` >= 1"),
        ({"width": 0.0}, "Expected `float` > 0.0"),
    ],
)
def test_a_damaged_mask_in_a_lock_is_refused(tmp_path: Path, changes: dict[str, object], what: str) -> None:
    folder = make_defect_recipe(tmp_path / "part", reference=REFERENCE)
    lock = json.loads((folder / "recipe.lock").read_text())
    lock["views"]["top"]["references"][0]["parts"][0]["defects"][0]["mask"] |= changes
    (folder / "recipe.lock").write_text(json.dumps(lock))
    with pytest.raises(RecipeError, match=re.escape(what)):
        load_recipe(folder)


def test_a_mask_of_cells_that_nothing_could_hold_is_another_one(tmp_path: Path) -> None:
    folder = make_defect_recipe(tmp_path / "part", reference=REFERENCE)
    defect = sealed_defect(folder)
    tiny = msgspec.structs.replace(defect, mask=msgspec.structs.replace(defect.mask, width=1e-9, height=1e-9))
    recipe = relocked(folder, tiny)
    with pytest.raises(RecipeError, match="shows no defect of 128 px2"):
        qualify(recipe, Inspector.load(recipe))


def test_parity_has_a_column_for_masks_and_tells_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_defect_recipe(tmp_path / "part", reference=REFERENCE)
    assert main(["parity", str(folder), "--repeat", "1"]) == 0
    head, row = _lines(capsys)
    assert head.endswith("IoU   edge  score")
    assert row.split()[-3:] == ["1.0000", "0.0", "0.000"]
    relocked(folder, _moved(sealed_defect(folder), 4.0))
    assert main(["parity", str(folder), "--repeat", "1"]) == 1
    _, row = _lines(capsys)
    assert "OVER: defect of 128 px2 at (132, 104) with an IoU of 0.600, allowed 0.98, on a reference frame" in row


def _lines(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    told = capsys.readouterr().out.splitlines()
    head = next(line for line in told if line.startswith("backend "))
    return head, next(line for line in told if line.startswith("onnxruntime   fp32 "))


def test_the_seal_says_how_many_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_defect_recipe(tmp_path / "part", reference=REFERENCE)
    assert main(["seal", str(folder)]) == 0
    assert "4 of 4 keypoints visible, 1 defect(s)" in capsys.readouterr().out
