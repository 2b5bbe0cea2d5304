"""Which keypoints are there to be seen."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Points
from pipeline.result import Keypoint, KeypointState
from pipeline.stages.values import Visibility
from pipeline.thresholds import Threshold, Thresholds


def visibility(logits: NDArray[np.float32], keypoints: Sequence[str], thresholds: Thresholds) -> Visibility:
    """Calibrated probabilities and states.

    Args:
        logits: (K, 2) [exists, does not exist], summed over the networks that gave any. Where one is not finite the
            probability is nan and the keypoint unsure.
        keypoints: the K names.
        thresholds: of this view.
    """
    exact = np.where(np.isfinite(logits), logits, np.nan).astype(np.float64)  # infinite is a failure, no certainty
    margin = (exact[:, 0] - exact[:, 1]) / thresholds.temperature
    probabilities = 0.5 + 0.5 * np.tanh(margin / 2)  # the softmax of two, without overflow
    states = [_state(value, thresholds.of(name)) for name, value in zip(keypoints, probabilities, strict=True)]
    return Visibility(probabilities, tuple(states))


def as_keypoints(view: str, names: Sequence[str], xy_sensor_px: Points, seen: Visibility) -> tuple[Keypoint, ...]:
    """The keypoints of one part as they are reported; xy_sensor_px is (K, 2). Hidden ones have no place.

    A network that gave no finite number gives an unsure keypoint without a place.
    """
    keypoints = []
    for name, (x, y), probability, state in zip(
        names, xy_sensor_px.tolist(), seen.probabilities.tolist(), seen.states, strict=True
    ):
        is_number = math.isfinite(x) and math.isfinite(y) and math.isfinite(probability)
        if not is_number:
            keypoints.append(Keypoint(name, view, None, None, 0.0, KeypointState.unsure))
        elif state is KeypointState.hidden:
            keypoints.append(Keypoint(name, view, None, None, probability, state))
        else:
            keypoints.append(Keypoint(name, view, x, y, probability, state))
    return tuple(keypoints)


def _state(probability: float, threshold: Threshold) -> KeypointState:
    if probability >= threshold.visible_above:
        return KeypointState.visible
    return KeypointState.hidden if probability < threshold.hidden_below else KeypointState.unsure
