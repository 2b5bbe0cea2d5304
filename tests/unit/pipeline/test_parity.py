"""The table of backends and precisions."""

from pathlib import Path

import cv2
import pytest

from benchmarks.dots.networks import write_coarse
from pipeline.cli import main
from pipeline.network import CoarseCard, load_network
from pipeline.parity import Differences, over_limit, parity
from pipeline.recipe import load_recipe
from pipeline.result import Keypoint, KeypointState
from tests.recipes import DOTS, SMALL_WH, frame_with_part, make_recipe
from tests.unit.pipeline.test_precision import derive


def keypoint(x: float | None, visibility: float = 0.9, state: KeypointState = KeypointState.visible) -> Keypoint:
    return Keypoint(name="a", view="top", visibility=visibility, state=state, x=x, y=None if x is None else 0.0)


def test_what_is_visible_is_compared_in_px_and_everything_in_probability() -> None:
    differences = Differences()
    expected = [keypoint(1.0), keypoint(1.0, state=KeypointState.unsure), keypoint(None, 0.1, KeypointState.hidden)]
    differences.add([expected], [[keypoint(1.5), keypoint(9.0), keypoint(3.0, 0.4)]])
    assert differences.px == [0.5]
    assert differences.probability == pytest.approx([0.0, 0.0, 0.3])
    differences.add([expected], [])
    differences.add([[]], [expected])
    assert differences.unlike == 2


def test_one_keypoint_in_a_hundred_may_lie_elsewhere_but_not_in_a_reference_frame() -> None:
    every, references = Differences(), Differences()
    for _ in range(150):
        every.add([[keypoint(0.0)]], [[keypoint(0.1)]])
    every.add([[keypoint(0.0)]], [[keypoint(5.0)]])
    assert over_limit(references, every, 0.25) == ""
    assert over_limit(references, every, 0.05) == "0.1 px at the 99th percentile, allowed 0.05"
    references.add([[keypoint(0.0)]], [[keypoint(0.3)]])
    assert over_limit(references, every, 0.25) == "0.3 px on a reference frame, allowed 0.25"


def test_visibility_counts_too() -> None:
    every, references = Differences(), Differences()
    every.add([[keypoint(0.0, 0.9)]], [[keypoint(0.0, 0.8)]])
    assert "visibility moves by 0.100 at the 99th percentile" in over_limit(references, every, 0.25)
    references.add([[keypoint(0.0, 0.9)]], [[keypoint(0.0, 0.83)]])
    assert "visibility moves by 0.070 on a reference frame" in over_limit(references, every, 0.25)


def test_every_backend_and_precision_has_a_row_that_says_what_is_missing(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top", "side"])
    rows = {(row.backend, row.precision): row for row in parity(load_recipe(folder), [])}
    reference = rows["onnxruntime", "fp32"]
    assert (reference.missing, reference.refused, reference.px.max) == ("", "", 0.0)
    assert reference.network_ms > 0
    missing = rows["onnxruntime", "int8"].missing
    assert missing.startswith("there is no int8 file of ")
    assert missing.endswith(f"next: datumd quantise {folder} --precision int8")


def test_the_command_fails_where_what_is_present_is_over_the_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_recipe(tmp_path / "part", ["top"], refine=False)
    images = tmp_path / "images"
    images.mkdir()
    for index in range(3):
        cv2.imwrite(str(images / f"{index}.png"), frame_with_part(shift_px=(index, 0.0)))
    arguments = ["parity", str(folder), "--images", str(images), "--repeat", "1"]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "1 reference frame(s), 3 other(s); allowed 0.25 px" in told
    assert "onnxruntime   int8      missing: there is no int8 file" in told
    derive(folder)
    assert main(arguments) == 0
    places = DOTS * SMALL_WH - 0.5 + [[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    card = load_network(folder / "top" / "coarse.onnx", CoarseCard, backend="onnxruntime").card
    write_coarse(tmp_path / "other.onnx", card, places, visible=(8.0,) * 4)
    derive(folder, coarse=(tmp_path / "other.onnx").read_bytes())
    assert main(arguments) == 1
    (line,) = (
        line
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("onnxruntime   int8") and "OVER" in line
    )
    assert line.endswith("OVER: 4.0 px on a reference frame, allowed 0.25")
    assert main([*arguments, "--count", "0"]) == 2
    assert "--count 0" in capsys.readouterr().err
