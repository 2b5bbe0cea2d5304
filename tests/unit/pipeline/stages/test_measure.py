"""Measurements against their limits."""

import math
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pipeline.geometry import Region
from pipeline.lens_model import BrownLens
from pipeline.plane_map import PlaneMap
from pipeline.planes import planes_of
from pipeline.reasons import ReasonTexts
from pipeline.recipe_file import RecipeFile, read_recipe_file
from pipeline.recipe_measure import MeasureSettings
from pipeline.result import Evaluation, Keypoint, KeypointState, Reason
from pipeline.stages.measure import Measure
from pipeline.stages.quantities import Shapes, quantity
from pipeline.stages.values import Measured, ViewFindings
from pipeline.stages.verdict import verdict

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
        ('{ angle = [["o", "x"], ["o", "p"]] }', math.degrees(math.atan2(40, 30)), "deg"),
        ('{ perpendicularity = [["o", "p"], ["o", "x"]], width = 9.0 }', 3.0, "mm"),
        ('{ pitch = ["o", "p", "q", "x"], nominal = 5.0, tolerance = 9.0 }', math.hypot(4.0, 8.0), "mm"),
        ('{ circle = ["o", "x", "p"] }', 10.0 / math.sin(math.atan2(40, 30) + math.atan2(40, 70)), "mm"),
        ('{ area = ["o", "x", "p"] }', 20.0, "mm2"),
        ('{ presence = "p" }', 1.0, ""),
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


@pytest.mark.parametrize(
    ("state", "nominal", "value", "evaluation"),
    [
        (KeypointState.visible, 1.0, 1.0, Evaluation.OK),
        (KeypointState.hidden, 1.0, 0.0, Evaluation.NOT_OK),
        (KeypointState.unsure, 1.0, None, Evaluation.NOT_DECIDABLE),
        (KeypointState.visible, 0.0, 1.0, Evaluation.NOT_OK),
        (KeypointState.hidden, 0.0, 0.0, Evaluation.OK),
    ],
)
def test_presence(
    tmp_path: Path, state: KeypointState, nominal: float, value: float | None, evaluation: Evaluation
) -> None:
    file = recipe(tmp_path, f'{{ presence = "p", nominal = {nominal} }}')
    found = measured(file, findings({"p": state})).measurement
    assert (found.value, found.evaluation) == (value, evaluation)


STATED = "scale_mm_per_px = 0.1\nscale_sigma_mm_per_px = 0.0002"
SIGMA_PX = {"o": 0.3, "x": 0.2, "p": 0.25, "q": 0.1}


def with_sigmas(views: dict[str, ViewFindings]) -> dict[str, ViewFindings]:
    keypoints = tuple(msgspec.structs.replace(one, sigma_px=SIGMA_PX[one.name]) for one in views["top"].keypoints)
    return {"top": replace(views["top"], keypoints=keypoints)}


@pytest.mark.parametrize(
    "measure",
    [
        '{ distance = ["o", "p"] }',
        '{ distance = ["q", ["o", "x"]] }',
        '{ angle = ["o", "p"], datum = "A" }',
        '{ position = "p", datum = "A", nominal = [3.0, 3.2], diameter = 2.0 }',
        '{ perpendicularity = [["o", "p"], ["o", "x"]], width = 9.0 }',
        '{ pitch = ["o", "p", "q"], nominal = 4.0 }',
        '{ circle = ["o", "x", "p", "q"] }',
        '{ area = ["o", "x", "q", "p"] }',
    ],
)
def test_the_sigma_is_that_of_a_monte_carlo(tmp_path: Path, measure: str) -> None:
    """4000 parts whose points and scale are off by as much as is stated scatter by the stated sigma."""
    file = recipe(tmp_path, measure, scale=STATED)
    stated = measured(file, with_sigmas(findings())).measurement
    plan, rng, count = file.measure["m"], np.random.default_rng(3), 4000
    scale = 0.1 + rng.normal(0.0, 0.0002, (count, 1))
    drawn = {name: scale * (np.array(xy) + rng.normal(0.0, SIGMA_PX[name], (count, 2))) for name, xy in POINTS.items()}
    values = quantity(plan, file.datum["A"] if plan.datum else None, Shapes(drawn))
    assert stated.sigma == pytest.approx(float(values.std(ddof=1)), rel=0.05)
    assert stated.value == pytest.approx(float(values.mean()), abs=0.2 * (stated.sigma or 0.0))


def test_no_sigma_is_told_where_something_has_none(tmp_path: Path) -> None:
    stated = recipe(tmp_path, '{ distance = ["o", "p"] }', scale=STATED)
    assert measured(stated).measurement.sigma is None  # the networks' sigmas are not calibrated
    for scale in ("scale_mm_per_px = 0.1", ""):
        assert (
            measured(recipe(tmp_path, '{ distance = ["o", "p"] }', scale), with_sigmas(findings())).measurement.sigma
            is None
        )


@pytest.mark.parametrize(
    ("guard", "away", "evaluation"),
    [
        (2.0, -2.1, Evaluation.OK),
        (2.0, -1.9, Evaluation.NOT_DECIDABLE),
        (2.0, 1.9, Evaluation.NOT_DECIDABLE),
        (2.0, 2.1, Evaluation.NOT_OK),
        (0.0, -0.1, Evaluation.OK),
        (0.0, 0.1, Evaluation.NOT_OK),
    ],
)
def test_a_value_within_its_guard_of_a_limit_is_not_decided(
    tmp_path: Path, guard: float, away: float, evaluation: Evaluation
) -> None:
    """The upper limit lies so many standard uncertainties below the value."""
    views = with_sigmas(findings())
    sigma = measured(recipe(tmp_path, '{ distance = ["o", "x"] }', STATED), views).measurement.sigma or math.nan
    tolerance = -away * sigma
    path = tmp_path / "recipe.toml"
    recipe(tmp_path, f'{{ distance = ["o", "x"], nominal = 10.0, tolerance = [-5.0, {tolerance}] }}', STATED)
    path.write_text(path.read_text().replace("number = 1", f"number = 1\nguard = {guard}"))
    found = measured(read_recipe_file(path), views)
    assert found.measurement.evaluation is evaluation
    settings = {"top": read_recipe_file(path).view["top"]}
    reasons = verdict(settings, views, (found,), {})[2]
    if evaluation is Evaluation.NOT_DECIDABLE:
        (reason,) = reasons
        assert (reason.code, reason.name, reason.value) == ("uncertain", "m", pytest.approx(10.0))
        assert reason.limit == pytest.approx(10.0 + tolerance)
        assert "too near its limit" in ReasonTexts("en").text(reason)


def test_a_circle_through_many_points_is_the_nearest_to_all_of_them() -> None:
    """No other radius and centre leave smaller distances: each of a few hundred near it is worse."""
    rng = np.random.default_rng(4)
    angles = np.array([0.1, 1.0, 1.9, 3.5, 5.0])
    points = np.column_stack([np.cos(angles), np.sin(angles)]) * 7.0 + [40.0, 30.0] + rng.normal(0.0, 0.3, (5, 2))
    names = [f"k{index}" for index in range(5)]
    settings = MeasureSettings(circle=names)
    value = float(quantity(settings, None, Shapes(dict(zip(names, points[:, None], strict=True))))[0])

    def least(diameter: float) -> float:
        centres = np.stack(np.meshgrid(np.arange(38.5, 41.5, 0.01), np.arange(28.5, 31.5, 0.01)), axis=-1)
        away = np.hypot(*np.moveaxis(points - centres[:, :, None], -1, 0))
        return float(((away - diameter / 2.0) ** 2).sum(axis=2).min())

    assert value == pytest.approx(14.0, abs=1.0)
    assert least(value) < min(least(value - 0.05), least(value + 0.05))


TILTED = PlaneMap(
    BrownLens(np.array([900.0, 900.0, 320.0, 240.0, -0.2, 0.05, 0.001, 0.0, 0.0])),
    np.array([0.3, -0.2, 0.1, -40.0, -30.0, 300.0]),
    np.diag([0.01] * 17),
)


def calibrated(folder: Path, measure: str, unit: str) -> tuple[Measured, ...]:
    """Measured where the points of POINTS, as mm, lie on a tilted plane before a lens with distortion."""
    file = recipe(folder, measure, unit)
    drawn = TILTED.to_px(np.array(list(POINTS.values())) / 10.0)
    moved = {name: (float(x), float(y)) for name, (x, y) in zip(POINTS, drawn, strict=True)}
    return Measure(file, planes_of(file, {"top": TILTED}))(findings(None, **moved))


def test_a_calibrated_camera_measures_in_its_plane(tmp_path: Path) -> None:
    for unit in ('unit = "mm"', "scale_mm_per_px = 0.5"):
        (one,) = calibrated(tmp_path, '{ distance = ["o", "p"] }', unit)
        assert (one.measurement.value, one.measurement.unit) == (pytest.approx(5.0, abs=1e-6), "mm")
    (one,) = calibrated(tmp_path, '{ angle = ["o", "p"], datum = "A" }', 'unit = "mm"')
    assert one.measurement.value == pytest.approx(math.degrees(math.atan2(40, 30)), abs=1e-6)
    (one,) = calibrated(tmp_path, '{ distance = ["o", "p"] }', "")
    assert one.measurement.unit == "px"  # a recipe that was written in px does not become one in mm


def test_mm_without_a_calibration_are_not_measured(tmp_path: Path) -> None:
    file = recipe(tmp_path, '{ distance = ["o", "p"] }', 'unit = "mm"')
    one = measured(file)
    assert (one.measurement.value, one.measurement.evaluation) == (None, Evaluation.NOT_DECIDABLE)
    assert [reason.code for reason in verdict(file.view, findings(), (one,), {})[2]] == ["not_calibrated"]


def test_a_point_without_a_place_on_the_plane_spoils_no_other_measurement(tmp_path: Path) -> None:
    file = recipe(tmp_path, '{ distance = ["o", "p"] }', 'unit = "mm"')
    drawn = TILTED.to_px(np.array(list(POINTS.values())) / 10.0)
    moved = {name: (float(x), float(y)) for name, (x, y) in zip(POINTS, drawn, strict=True)}
    far = with_sigmas(findings(None, **{**moved, "q": (1e7, -1e7)}))
    near = with_sigmas(findings(None, **moved))
    planes = planes_of(file, {"top": TILTED})
    (one,), (two,) = Measure(file, planes)(far), Measure(file, planes)(near)
    assert one.measurement.sigma == pytest.approx(two.measurement.sigma)
    assert (two.measurement.sigma or 0.0) > 0.0
