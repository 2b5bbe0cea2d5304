"""Which keypoints are there to be seen."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.result import KeypointState
from pipeline.stages.values import Visibility
from pipeline.thresholds import Threshold, Thresholds


def visibility(logits: NDArray[np.float32], keypoints: Sequence[str], thresholds: Thresholds) -> Visibility:
    """Calibrated probabilities and states.

    Args:
        logits: (K, 2) [exists, does not exist], summed over the networks that gave any.
        keypoints: the K names.
        thresholds: of this view.
    """
    margin = (logits[:, 0].astype(np.float64) - logits[:, 1]) / thresholds.temperature
    probabilities = 0.5 + 0.5 * np.tanh(margin / 2)  # the softmax of two, without overflow
    states = [_state(value, thresholds.of(name)) for name, value in zip(keypoints, probabilities, strict=True)]
    return Visibility(probabilities, tuple(states))


def _state(probability: float, threshold: Threshold) -> KeypointState:
    if probability >= threshold.visible_above:
        return KeypointState.visible
    return KeypointState.hidden if probability < threshold.hidden_below else KeypointState.unsure
