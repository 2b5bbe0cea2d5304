"""Which keypoints are there to be seen."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Points
from pipeline.result import Keypoint, KeypointState
from pipeline.stages.values import Visibility
from pipeline.thresholds import Threshold, Thresholds


def visibility(
    logits: NDArray[np.float32],
    keypoints: Sequence[str],
    thresholds: Thresholds,
    is_placed: NDArray[np.bool_] | None = None,
) -> Visibility:
    """Calibrated probabilities and states.

    Args:
        logits: (K, 2) [exists, does not exist], summed over the networks that gave any. Where one is not finite the
            probability is nan and the keypoint unsure.
        keypoints: the K names.
        thresholds: of this view.
        is_placed: (K,), as in RefinedKeypoints: what was not seen where it is said to be is not visible but unsure.
    """
    probabilities = probability(logits, thresholds.temperature)
    states = [_state(value, thresholds.of(name)) for name, value in zip(keypoints, probabilities, strict=True)]
    for index in () if is_placed is None else np.flatnonzero(is_placed):
        if states[index] is KeypointState.visible:
            states[index] = KeypointState.unsure
    return Visibility(probabilities, tuple(states))


def probability(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """The softmax of two, (K, 2) to that of the first (K,), without overflow; nan where a logit is not finite."""
    exact = np.where(np.isfinite(logits), logits, np.nan).astype(np.float64)  # infinite is a failure, no certainty
    margin = (exact[..., 0] - exact[..., 1]) / temperature
    return np.asarray(0.5 + 0.5 * np.tanh(margin / 2))


def as_keypoints(
    view: str,
    names: Sequence[str],
    xy_sensor_px: Points,
    seen: Visibility,
    sigma_sensor_px: NDArray[np.float64] | None = None,
) -> tuple[Keypoint, ...]:
    """The keypoints of one part as they are reported; hidden ones have no place.

    A network that gave no finite number gives an unsure keypoint without a place.

    Args:
        view: its name.
        names: the K names.
        xy_sensor_px: (K, 2).
        seen: what can be seen.
        sigma_sensor_px: (K,), calibrated standard deviation per axis; None where no calibration makes those of the
            networks honest, and then none is reported: an uncalibrated one would be taken for an uncertainty.
    """
    sigmas = [math.nan] * len(names) if sigma_sensor_px is None else sigma_sensor_px.tolist()
    keypoints = []
    for name, (x, y), probability, state, sigma in zip(
        names, xy_sensor_px.tolist(), seen.probabilities.tolist(), seen.states, sigmas, strict=True
    ):
        is_number = math.isfinite(x) and math.isfinite(y) and math.isfinite(probability)
        if not is_number:
            keypoints.append(Keypoint(name, view, None, None, 0.0, KeypointState.unsure))
        elif state is KeypointState.hidden:
            keypoints.append(Keypoint(name, view, None, None, probability, state))
        else:
            known = sigma if math.isfinite(sigma) else None
            keypoints.append(Keypoint(name, view, x, y, probability, state, sigma_px=known))
    return tuple(keypoints)


def _state(probability: float, threshold: Threshold) -> KeypointState:
    if probability >= threshold.visible_above:
        return KeypointState.visible
    return KeypointState.hidden if probability < threshold.hidden_below else KeypointState.unsure
