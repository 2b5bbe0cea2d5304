import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.masks.sample import MaskedImage, MaskedSet
from training.segment_layout import learn_layout

SHAPE = {"a": (-30.0, -20.0), "b": (40.0, -25.0), "c": (5.0, 30.0), "d": (-20.0, 25.0)}


def part(number: int, leave_out: str = "", only: int = 4) -> MaskedImage:
    """The shape, turned, enlarged and moved by the number."""
    turn, size = 0.9 * number, 1.0 + 0.1 * number
    cos, sin = size * math.cos(turn), size * math.sin(turn)
    found = {
        name: (cos * x - sin * y + 300.0, sin * x + cos * y + 200.0 + number)
        for name, (x, y) in list(SHAPE.items())[:only]
        if name != leave_out
    }
    return MaskedImage(
        str(number), Path("none.png"), lambda hw: np.zeros(hw, np.bool_), "", str(number), None, None, found
    )


def test_the_layout_is_the_mean_shape_and_leaves_room_around() -> None:
    found = learn_layout(MaskedSet([part(number, leave_out="abcd"[number % 4]) for number in range(8)]))
    assert set(found) == set(SHAPE)
    own, told = (np.array([places[name] for name in sorted(SHAPE)]) for places in (SHAPE, found))
    lengths, others = (np.linalg.norm(xy[:, None] - xy[None], axis=2) for xy in (own, told))
    assert others / others.max() == pytest.approx(lengths / lengths.max(), abs=1e-6)
    assert np.abs(told).max() == pytest.approx(1 / 1.35)
    areas = [np.linalg.det(xy[1:3] - xy[0]) for xy in (told, own)]
    assert areas[0] * areas[1] > 0.0  # not mirrored


def test_parts_with_too_few_keypoints_have_no_layout() -> None:
    assert learn_layout(MaskedSet([part(0, only=2), part(1, only=0)])) == {}
    assert set(learn_layout(MaskedSet([part(0, only=2), part(1)]))) == set(SHAPE)


def test_parts_whose_keypoints_lie_on_one_point_or_nowhere_do_not_count() -> None:
    odd = [dict.fromkeys(SHAPE, (5.0, 6.0)), dict.fromkeys(SHAPE, (math.nan, 6.0))]
    without = [replace(part(number), keypoints=keypoints) for number, keypoints in enumerate(odd)]
    found = learn_layout(MaskedSet([*without, part(2), part(3)]))
    assert found == learn_layout(MaskedSet([part(2), part(3)]))
    assert learn_layout(MaskedSet(without)) == {}
