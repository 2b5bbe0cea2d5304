"""The verdict and the order of its reasons."""

import itertools

import pytest

from pipeline.geometry import Region
from pipeline.recipe_file import LocateSettings, ViewSettings
from pipeline.result import Evaluation, Keypoint, KeypointState, Measurement, Reason, ResultState
from pipeline.stages.values import Measured, ViewFindings
from pipeline.stages.verdict import verdict

VIEWS = {
    name: ViewSettings(LocateSettings(fixed=(0, 0, 9, 9)), ["pin", "rim"], must_be_present=["pin"])
    for name in ("top", "side")
}


def view(name: str, pin: str = "visible", rim: str = "visible", bad: str = "") -> ViewFindings:
    keypoints = tuple(
        Keypoint(key, name, 1.0, 1.0, 0.5, KeypointState(state)) for key, state in (("pin", pin), ("rim", rim))
    )
    reasons = (Reason(bad, view=name),) if bad else ()
    return ViewFindings(name, Region(0, 0, 9, 9), reasons, () if bad else keypoints, {})


def measurement(value: float | None, evaluation: Evaluation) -> Measurement:
    return Measurement("span", value, "mm", 10.0, 9.0, 11.0, evaluation, "top")


def codes(*views: ViewFindings, measured: tuple[Measured, ...] = ()) -> tuple[ResultState, Evaluation, list[str]]:
    state, evaluation, reasons = verdict(VIEWS, {one.view: one for one in views}, measured, {})
    return state, evaluation, [".".join(filter(None, (one.view, one.name, one.code))) for one in reasons]


def test_nothing_found_wrong_is_ok() -> None:
    fine = (Measured(measurement(10.0, Evaluation.OK)),)
    assert codes(view("top", rim="hidden"), view("side"), measured=fine) == (ResultState.COMPLETED, Evaluation.OK, [])


@pytest.mark.parametrize(
    ("views", "state", "evaluation", "reasons"),
    [
        ([view("top", pin="hidden"), view("side")], "COMPLETED", "NOT_OK", ["top.pin.hidden"]),
        ([view("top", pin="unsure"), view("side")], "COMPLETED", "NOT_DECIDABLE", ["top.pin.unsure"]),
        ([view("top", bad="image_dark"), view("side")], "FAILED", "UNDEFINED", ["top.image_dark"]),
        ([view("top")], "FAILED", "UNDEFINED", ["side.no_part"]),
        ([], "FAILED", "UNDEFINED", ["top.no_part", "side.no_part"]),
        (
            [view("top", bad="image_blurred"), view("side", pin="hidden")],
            "COMPLETED",
            "NOT_OK",
            ["side.pin.hidden", "top.image_blurred"],
        ),
        (
            [view("top", bad="image_blurred"), view("side", pin="unsure")],
            "FAILED",
            "UNDEFINED",
            ["top.image_blurred", "side.pin.unsure"],
        ),
    ],
)
def test_precedence(views: list[ViewFindings], state: str, evaluation: str, reasons: list[str]) -> None:
    assert codes(*views) == (ResultState(state), Evaluation(evaluation), reasons)


@pytest.mark.parametrize(("value", "code", "limit"), [(8.5, "low", 9.0), (11.5, "high", 11.0)])
def test_a_violated_tolerance_is_not_ok(value: float, code: str, limit: float) -> None:
    findings = {name: view(name) for name in VIEWS}
    state, evaluation, reasons = verdict(VIEWS, findings, [Measured(measurement(value, Evaluation.NOT_OK))], {})
    assert (state, evaluation) == (ResultState.COMPLETED, Evaluation.NOT_OK)
    assert reasons == (Reason(code, name="span", view="top", value=value, limit=limit, unit="mm"),)


def test_a_keypoint_that_several_measurements_lack_is_one_reason() -> None:
    lacking = (Keypoint("rim", "top", None, None, 0.1, KeypointState.hidden),)
    undecided = Measured(measurement(None, Evaluation.NOT_DECIDABLE), lacking)
    found = codes(view("top", rim="hidden"), view("side"), measured=(undecided, undecided))
    assert found == (ResultState.COMPLETED, Evaluation.NOT_DECIDABLE, ["top.rim.hidden"])


def test_a_measurement_that_its_points_do_not_define_is_uncertain() -> None:
    undecided = Measured(measurement(None, Evaluation.NOT_DECIDABLE))
    assert codes(view("top"), view("side"), measured=(undecided,))[1:] == (
        Evaluation.NOT_DECIDABLE,
        ["top.span.uncertain"],
    )


def test_the_worst_of_any_two_findings_decides_whatever_their_order() -> None:
    sides = {
        Evaluation.NOT_OK: Measured(measurement(1.0, Evaluation.NOT_OK)),
        Evaluation.NOT_DECIDABLE: Measured(measurement(None, Evaluation.NOT_DECIDABLE)),
        Evaluation.OK: Measured(measurement(10.0, Evaluation.OK)),
    }
    order = list(Evaluation)
    for (first, one), (second, other) in itertools.permutations(sides.items(), 2):
        _, evaluation, _ = codes(view("top"), view("side"), measured=(one, other))
        assert evaluation is min(first, second, key=order.index)
