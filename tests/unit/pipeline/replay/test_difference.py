"""Differences field by field: what moved, by how much, and whether it may."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import result as result_schema
from pipeline.errors import ConfigError
from pipeline.replay.difference import NUMBERS, TEXTS, Tolerances, differences
from pipeline.replay.replayed import tolerances_of
from pipeline.result import Defect, DefectMask, Evaluation, Reason, Result
from tests.results import result

THEN = result()


def with_keypoint(index: int, **changes: object) -> Result:
    keypoints = list(THEN.keypoints)
    keypoints[index] = msgspec.structs.replace(keypoints[index], **changes)
    return result(keypoints=keypoints)


def test_a_result_that_went_over_the_wire_is_the_same() -> None:
    again = result_schema.decode(result_schema.encode(result(session=9, creation_time="", times={}, part_id="x")))
    assert differences([THEN], [again], Tolerances()) == []


@given(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(0.0, 2.0))
@settings(max_examples=30)
def test_a_keypoint_may_move_as_far_as_is_allowed(dx: float, dy: float, allowed: float) -> None:
    moved = with_keypoint(0, x=10.25 + dx, y=20.5 + dy)
    found = differences([THEN], [moved], Tolerances({"keypoints.xy": allowed}))
    distance = float(((moved.keypoints[0].x - 10.25) ** 2 + (moved.keypoints[0].y - 20.5) ** 2) ** 0.5)  # type: ignore[operator]
    assert bool(found) == (distance > 0)
    for one in found:
        assert (one.field, one.of) == ("keypoints.xy", "top/pin_1")
        assert one.distance == pytest.approx(distance)
        assert one.is_allowed == (one.distance is not None and one.distance <= allowed)


def test_what_is_there_only_once_has_no_tolerance() -> None:
    found = differences([THEN], [with_keypoint(0, x=None, y=None)], Tolerances(dict.fromkeys(NUMBERS, 1e9)))
    assert [(one.field, one.is_allowed) for one in found] == [("keypoints.xy", False)]
    assert found[0].text() == "keypoints.xy top/pin_1: (10.25, 20.5) -> -"


def test_every_field_that_an_inspection_says_is_compared() -> None:
    box = (0.0, 0.0, 1.0, 1.0)
    defect = Defect("top", 4.0, box, 0.9, (0.0, 0.0, 0.9), DefectMask(*box, 1, 1, [0, 1]))
    now = result(
        result_evaluation=Evaluation.OK,
        reasons=[Reason("low", name="pin_span", value=1.0)],
        measurements=[msgspec.structs.replace(THEN.measurements[0], value=1.0, upper=2.0, evaluation=Evaluation.OK)],
        views=[msgspec.structs.replace(THEN.views[0], region=(1.0, 2.0, 3.0, 5.0))],
        defects=[defect],
    )
    found = {(one.field, one.of): one for one in differences([THEN], [now], Tolerances())}
    assert {name for name, _ in found} <= {*NUMBERS, *TEXTS}
    assert {("result_evaluation", ""), ("reasons", "pin_span.high"), ("reasons", "pin_span.low")} <= found.keys()
    assert found["views.region", "top"].distance == 1.0
    assert ("measurements.upper", "pin_span") in found
    assert ("defects", "top/1") in found


def test_other_parts_are_one_difference() -> None:
    found = differences([THEN, THEN], [THEN], Tolerances())
    assert [(one.field, one.then, one.now, one.is_allowed) for one in found] == [("part_count", 2.0, 1.0, False)]


@pytest.mark.parametrize("text", ["keypoints.xy", "keypoints.xy=", "keypoints.xy=-1", "keypoints.xy=nan", "nothing=1"])
def test_a_tolerance_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="FIELD=NUMBER"):
        tolerances_of([text])
    assert tolerances_of(["keypoints.xy=0.5"]) == {"keypoints.xy": 0.5}
