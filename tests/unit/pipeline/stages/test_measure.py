"""Measurements against their limits."""

import math
from pathlib import Path

import pytest

from pipeline.geometry import Region
from pipeline.recipe_file import RecipeFile, read_recipe_file
from pipeline.result import Evaluation, Keypoint, KeypointState, Reason
from pipeline.stages.measure import Measure
from pipeline.stages.values import Measured, ViewFindings

POINTS = {"o": (100.0, 100.0), "x": (200.0, 100.0), "p": (130.0, 140.0), "q": (160.0, 180.0)}
HEAD = """
format = 1
name = "part"
number = 1
[view.top]
locate = { fixed = [0, 0, 640, 480] }
keypoints = ["o", "x", "p", "q"]
"""


def recipe(folder: Path, measure: str, scale: str = "scale_mm_per_px = 0.1") -> RecipeFile:
    path = folder / "recipe.toml"
    path.write_text(f'{HEAD}{scale}\n[datum]\nA = {{ origin = "o", x_axis = "x" }}\n[measure]\nm = {measure}\n')
    return read_recipe_file(path)


def findings(states: dict[str, KeypointState] | None = None, **moved: tuple[float, float]) -> dict[str, ViewFindings]:
    keypoints = tuple(
        Keypoint(name, "top", *(moved.get(name, xy)), 0.9, (states or {}).get(name, KeypointState.visible))
        for name, xy in POINTS.items()
    )
    return {"top": ViewFindings("top", Region(0, 0, 640, 480), (), keypoints, {})}


def measured(file: RecipeFile, views: dict[str, ViewFindings] | None = None) -> Measured:
    (one,) = Measure(file)(findings() if views is None else views)
    return one


@pytest.mark.parametrize(
    ("measure", "value", "unit"),
    [
        ('{ distance = ["o", "p"] }', 5.0, "mm"),
        ('{ distance = ["p", ["o", "x"]] }', 4.0, "mm"),
        ('{ distance = [["x", "o"], "p"] }', 4.0, "mm"),
        ('{ angle = ["o", "p"] }', math.degrees(math.atan2(40, 30)), "deg"),
        ('{ angle = ["o", "x"], nominal = 360.0 }', 360.0, "deg"),
        ('{ angle = ["x", "o"], nominal = -180.0, tolerance = 1.0 }', -180.0, "deg"),
        ('{ position = "p", datum = "A", nominal = [3.0, 3.5], diameter = 2.0 }', 1.0, "mm"),
    ],
)
def test_quantities(tmp_path: Path, measure: str, value: float, unit: str) -> None:
    found = measured(recipe(tmp_path, measure)).measurement
    assert found.value == pytest.approx(value)
    assert (found.unit, found.evaluation, found.view) == (unit, Evaluation.OK, "top")


def test_without_a_scale_lengths_are_px(tmp_path: Path) -> None:
    found = measured(recipe(tmp_path, '{ distance = ["o", "p"] }', scale="")).measurement
    assert (found.value, found.unit) == (50.0, "px")


def test_a_datum_turns_with_the_part(tmp_path: Path) -> None:
    turned = {name: (300 - (y - 100), 50 + (x - 100)) for name, (x, y) in POINTS.items()}  # by 90 degrees
    views = findings(**turned)
    angle = recipe(tmp_path, '{ angle = ["o", "p"], datum = "A" }')
    position = recipe(tmp_path, '{ position = "p", datum = "A", nominal = [3.0, 4.0], diameter = 0.1 }')
    assert measured(angle, views).measurement.value == pytest.approx(math.degrees(math.atan2(40, 30)))
    assert measured(position, views).measurement.value == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("tolerance", "x", "evaluation"),
    [
        ("0.1", 200.9, Evaluation.OK),
        ("0.1", 201.1, Evaluation.NOT_OK),
        ("0.1", 198.9, Evaluation.NOT_OK),
        ("[-0.05, 0.2]", 201.9, Evaluation.OK),
        ("[-0.05, 0.2]", 199.4, Evaluation.NOT_OK),
    ],
)
def test_limits(tmp_path: Path, tolerance: str, x: float, evaluation: Evaluation) -> None:
    file = recipe(tmp_path, f'{{ distance = ["o", "x"], nominal = 10.0, tolerance = {tolerance} }}')
    assert measured(file, findings(x=(x, 100.0))).measurement.evaluation is evaluation


def test_a_position_is_judged_by_the_diameter_about_its_nominal_place(tmp_path: Path) -> None:
    file = recipe(tmp_path, '{ position = "p", datum = "A", nominal = [3.0, 4.0], diameter = 0.2 }')
    assert measured(file, findings(p=(130.9, 140.0))).measurement.evaluation is Evaluation.OK
    found = measured(file, findings(p=(131.1, 140.0))).measurement
    assert (found.evaluation, found.value, found.upper) == (Evaluation.NOT_OK, pytest.approx(0.22), 0.2)


@pytest.mark.parametrize("state", [KeypointState.hidden, KeypointState.unsure])
@pytest.mark.parametrize("name", ["p", "o"])
def test_a_keypoint_that_is_needed_and_not_visible_leaves_it_undecided(
    tmp_path: Path, state: KeypointState, name: str
) -> None:
    file = recipe(tmp_path, '{ position = "p", datum = "A", nominal = [3.0, 4.0], diameter = 0.2 }')
    found = measured(file, findings({name: state, "q": KeypointState.hidden}))
    assert (found.measurement.value, found.measurement.evaluation) == (None, Evaluation.NOT_DECIDABLE)
    assert [(one.name, one.state) for one in found.lacking] == [(name, state)]


@pytest.mark.parametrize(
    "measure", ['{ distance = ["p", ["o", "x"]] }', '{ angle = ["o", "x"] }', '{ angle = ["p", "q"], datum = "A" }']
)
def test_points_that_coincide_define_nothing(tmp_path: Path, measure: str) -> None:
    found = measured(recipe(tmp_path, measure), findings(x=POINTS["o"]))
    assert (found.measurement.value, found.measurement.evaluation) == (None, Evaluation.NOT_DECIDABLE)
    assert found.lacking == ()


def test_a_value_beyond_all_numbers_is_not_decided(tmp_path: Path) -> None:
    found = measured(recipe(tmp_path, '{ distance = ["o", "x"] }'), findings(o=(-1e308, 0.0), x=(1e308, 0.0)))
    assert (found.measurement.value, found.measurement.evaluation) == (None, Evaluation.NOT_DECIDABLE)


@pytest.mark.parametrize(
    ("x", "evaluation"),
    [
        (200.0, Evaluation.OK),
        (200.0001, Evaluation.NOT_OK),
        (180.0, Evaluation.OK),
        (179.9999, Evaluation.NOT_OK),
    ],
)
def test_a_value_on_its_limit_is_within(tmp_path: Path, x: float, evaluation: Evaluation) -> None:
    file = recipe(tmp_path, '{ distance = ["o", "x"], nominal = 90.0, tolerance = 10.0 }', scale="")
    assert measured(file, findings(x=(x, 100.0))).measurement.evaluation is evaluation


def test_a_missing_view_or_a_bad_picture_leaves_it_undefined(tmp_path: Path) -> None:
    file = recipe(tmp_path, '{ distance = ["o", "x"] }')
    dark = ViewFindings("top", Region(0, 0, 640, 480), (Reason("image_dark"),), (), {})
    for views in ({}, {"top": dark}):
        assert measured(file, views).measurement.evaluation is Evaluation.UNDEFINED
