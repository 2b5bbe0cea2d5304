"""From logits to states and to what is reported."""

import math

import numpy as np
import pytest

from pipeline.result import KeypointState
from pipeline.stages.visibility import as_keypoints, visibility
from pipeline.thresholds import Threshold, Thresholds

NAMES = ["a", "b", "c"]


def logits(*exists: float) -> np.ndarray:
    return np.array([[value, 0.0] for value in exists], np.float32)


def test_probabilities_are_the_softmax_of_two_divided_by_the_temperature() -> None:
    seen = visibility(logits(0.0, 2.0, -3.0), NAMES, Thresholds(temperature=2.0))
    assert seen.probabilities == pytest.approx([0.5, 1 / (1 + math.exp(-1.0)), 1 / (1 + math.exp(1.5))])


def test_each_keypoint_has_its_own_limits() -> None:
    limits = Thresholds(keypoint={"b": Threshold(visible_above=0.9, hidden_below=0.2)})
    states = {
        value: visibility(logits(value, value, 0.0), NAMES, limits).states[:2] for value in (3.0, 1.0, -1.0, -3.0)
    }
    visible, hidden, unsure = KeypointState.visible, KeypointState.hidden, KeypointState.unsure
    assert states == {3.0: (visible, visible), 1.0: (visible, unsure), -1.0: (hidden, unsure), -3.0: (hidden, hidden)}


def test_a_probability_on_its_limit_is_on_the_side_of_what_is_there() -> None:
    limits = Thresholds(keypoint={"b": Threshold(visible_above=0.9, hidden_below=0.5)})
    states = visibility(logits(0.0, 0.0, 0.0), NAMES, limits).states
    assert states[:2] == (KeypointState.visible, KeypointState.unsure)


def test_enormous_logits_do_not_overflow() -> None:
    seen = visibility(logits(1e30, -1e30, 0.0), NAMES, Thresholds())
    assert seen.probabilities.tolist() == [1.0, 0.0, 0.5]


@pytest.mark.parametrize("pair", [(math.inf, 0.0), (0.0, -math.inf), (-math.inf, 0.0), (math.nan, 0.0)])
def test_infinite_logits_make_nobody_sure(pair: tuple[float, float]) -> None:
    seen = visibility(np.array([pair], np.float32), ["a"], Thresholds())
    assert seen.states == (KeypointState.unsure,)
    (found,) = as_keypoints("top", ["a"], np.array([[1.0, 2.0]]), seen)
    assert (found.x, found.y, found.visibility) == (None, None, 0.0)


def test_hidden_keypoints_have_no_place_and_unsure_ones_do() -> None:
    limits = Thresholds(keypoint={"c": Threshold(visible_above=0.9, hidden_below=0.1)})
    xy = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    a, b, c = as_keypoints("top", NAMES, xy, visibility(logits(4.0, -4.0, 0.0), NAMES, limits))
    assert (a.x, a.y, a.state, a.view) == (1.0, 2.0, KeypointState.visible, "top")
    assert (b.x, b.y, b.state) == (None, None, KeypointState.hidden)
    assert (c.x, c.y, c.state) == (5.0, 6.0, KeypointState.unsure)


def test_what_is_no_number_is_unsure_and_has_no_place() -> None:
    xy = np.array([[math.nan, 2.0], [3.0, math.inf], [5.0, 6.0]])
    found = as_keypoints("top", NAMES, xy, visibility(logits(4.0, 4.0, math.nan), NAMES, Thresholds()))
    assert [(one.x, one.y, one.state) for one in found] == [(None, None, KeypointState.unsure)] * 3


def test_sigma_is_told_of_what_has_a_place_and_only_where_it_is_known() -> None:
    limits = Thresholds(keypoint={"c": Threshold(visible_above=0.9, hidden_below=0.1)})
    xy, seen = np.zeros((3, 2)), visibility(logits(4.0, -4.0, 0.0), NAMES, limits)
    found = as_keypoints("top", NAMES, xy, seen, np.array([0.5, 0.6, 0.7]))
    assert [one.sigma_px for one in found] == [0.5, None, 0.7]
    assert [one.sigma_px for one in as_keypoints("top", NAMES, xy, seen)] == [None] * 3
    assert as_keypoints("top", NAMES, xy, seen, np.full(3, math.nan))[0].sigma_px is None


def test_what_the_shape_placed_is_unsure_at_best() -> None:
    seen = visibility(logits(4.0, -4.0, 4.0), NAMES, Thresholds(), np.array([True, True, False]))
    assert seen.states == (KeypointState.unsure, KeypointState.hidden, KeypointState.visible)
