"""A complete result for tests that need one."""

import msgspec

from pipeline.result import (
    Disposition,
    Evaluation,
    Keypoint,
    KeypointState,
    Measurement,
    Reason,
    Result,
    ResultState,
    View,
)

RESULT = Result(
    schema_version=1,
    session=1700000000,
    seq=7,
    station="L3-S20",
    result_id="1700000000-7",
    trigger_number=41,
    part_index=0,
    part_count=1,
    product_id="bracket",
    recipe_id=1,
    configuration_id="ab12",
    is_simulated=True,
    result_state=ResultState.COMPLETED,
    result_evaluation=Evaluation.NOT_OK,
    disposition=Disposition.REJECT,
    reasons=[Reason(code="high", name="pin_span", value=12.81, limit=12.78, unit="mm")],
    creation_time="2026-01-01T00:00:00.000000Z",
    answered_time="2026-01-01T00:00:00.010000Z",
    views=[View(view="top", camera="top", frame_id=40, region=(1.0, 2.0, 3.0, 4.0))],
    keypoints=[
        Keypoint(name="pin_1", view="top", x=10.25, y=20.5, visibility=0.99, state=KeypointState.visible),
        Keypoint(name="pin_2", view="top", x=None, y=None, visibility=0.01, state=KeypointState.hidden),
    ],
    measurements=[Measurement("pin_span", 12.81, "mm", 12.7, 12.65, 12.78, Evaluation.NOT_OK)],
    stages_ns={"coarse": 1_500_000, "refine": 2_200_000},
    times={"received_to_answered_ns": 9_800_000},
)


def result(**changes: object) -> Result:
    """RESULT with changes."""
    return msgspec.structs.replace(RESULT, **changes)
