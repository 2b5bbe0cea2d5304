import math

import numpy as np
import pytest

from pipeline import geometry
from pipeline.geometry import Region
from pipeline.part_pose import UNPLACED, pose_of, sensor_from_part

LAYOUT = {"a": (-0.5, -0.4), "b": (0.6, -0.3), "c": (-0.1, 0.7), "d": (0.4, 0.5)}
TURN, SIZE, MOVE = 0.7, 180.0, (420.0, 310.0)


def on_sensor(name: str) -> tuple[float, float]:
    """Where a keypoint lies of a part that is turned, enlarged and moved."""
    x, y = LAYOUT[name]
    cos, sin = SIZE * math.cos(TURN), SIZE * math.sin(TURN)
    return cos * x - sin * y + MOVE[0], sin * x + cos * y + MOVE[1]


FOUND = {name: on_sensor(name) for name in LAYOUT}


def test_keypoints_tell_where_the_part_lies() -> None:
    placed = sensor_from_part(LAYOUT, FOUND)
    assert placed is not None
    for name, place in LAYOUT.items():
        assert geometry.apply(placed, place) == pytest.approx(on_sensor(name))


def test_names_that_the_part_does_not_have_and_places_that_are_no_number_do_not_count() -> None:
    found = {**FOUND, "a": (math.nan, 3.0), "stranger": (0.0, 0.0)}
    placed = sensor_from_part(LAYOUT, found)
    assert placed is not None
    assert geometry.apply(placed, LAYOUT["a"]) == pytest.approx(on_sensor("a"))


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"a": FOUND["a"], "b": FOUND["b"]},
        {"a": FOUND["a"], "b": FOUND["b"], "c": (math.inf, 0.0)},
        dict.fromkeys(LAYOUT, (50.0, 60.0)),
        {"a": FOUND["a"], "b": FOUND["b"], "c": (900.0, 60.0)},
        {"a": FOUND["a"], "b": FOUND["b"], "c": (0.0, 1e9)},
        {"a": FOUND["c"], "b": FOUND["a"], "c": FOUND["d"], "d": FOUND["b"]},
    ],
)
def test_too_few_keypoints_that_agree_tell_nothing(found: dict[str, tuple[float, float]]) -> None:
    assert sensor_from_part(LAYOUT, found) is None
    assert np.array_equal(pose_of(Region(0, 0, 10, 10), None), UNPLACED)


def test_one_keypoint_that_is_wrong_among_many_is_outvoted() -> None:
    layout = {str(number): (math.cos(number), math.sin(2.0 * number)) for number in range(12)}
    found = {name: (100.0 * x + 300.0, 100.0 * y + 200.0) for name, (x, y) in layout.items()}
    placed = sensor_from_part(layout, {**found, "5": (900.0, 700.0)})
    assert placed is not None
    assert geometry.apply(placed, (0.0, 0.0)) == pytest.approx((300.0, 200.0), abs=2.0)


def test_a_pose_goes_from_the_images_frame_to_the_parts() -> None:
    placed = sensor_from_part(LAYOUT, FOUND)
    area = Region(400.0, 280.0, 64.0, 48.0)
    pose = pose_of(area, placed)
    assert (pose.shape, pose.dtype) == ((2, 3), np.float32)
    assert placed is not None
    for u, v in ((-1, -1), (1, -1), (0.25, 0.5)):
        # corner convention: -1 is the left edge of the first px, whose centre is at 400
        sensor = 400.0 - 0.5 + (u + 1) / 2 * 64.0, 280.0 - 0.5 + (v + 1) / 2 * 48.0
        assert geometry.apply(placed, pose @ (u, v, 1)) == pytest.approx(sensor, abs=1e-3)
