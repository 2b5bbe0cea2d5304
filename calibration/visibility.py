"""When a keypoint counts as visible: how far its logits can be trusted, and one threshold per keypoint.

From parts that were neither trained on nor used to choose anything, so that the stated miss rate holds on the line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.thresholds import Threshold, Thresholds

_NEWTON_STEPS = 50
_RIDGE = 1e-3
LEAST_ABOVE = 0.01  # no lower threshold is written: a feature that is missing would pass for one that is there
UNSURE_SHARE = 0.25  # of the miss rate: below the threshold of this rate a keypoint is hidden, between the two unsure


def fuse(margins: NDArray[np.floating], visible: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Factors, 0 or more, whose weighted sum of margins predicts visibility best (logistic regression, no constant).

    Args:
        margins: (N, F), logit of existing minus logit of not existing, of F networks.
        visible: (N,).

    Returns:
        (F,). A network that does not help gets 0.
    """
    use = np.ones(margins.shape[1], bool)
    factors = np.zeros(margins.shape[1])
    while use.any():
        factors[:] = 0.0
        factors[use] = _logistic(margins[:, use].astype(np.float64), visible.astype(np.float64))
        if (factors >= 0).all():
            break
        use &= factors > 0
        factors[:] = 0.0
    return factors


def temperature(margin: NDArray[np.floating], visible: NDArray[np.bool_]) -> float:
    """What margins (N,) are divided by so that probabilities are frequencies (Guo et al. 2017, 1706.04599)."""
    factor = float(fuse(margin[:, None], visible)[0])
    return float(np.clip(1.0 / factor, 0.05, 20.0)) if factor > 0 else 20.0


def calibrate(
    margin: NDArray[np.floating], visible: NDArray[np.bool_], keypoints: Sequence[str], *, false_reject: float
) -> Thresholds:
    """Temperature and thresholds of a view.

    Args:
        margin: (N, K), logit of existing minus logit of not existing.
        visible: (N, K).
        keypoints: the K names.
        false_reject: share of the visible keypoints that may fall below ``visible_above``.

    Returns:
        A keypoint that was visible in fewer than 1 / ``false_reject`` parts gets the threshold of all of them together;
        where even those are too few to state the rate, it is one half or what loses none of them. No ``visible_above``
        lies below LEAST_ABOVE, even where that loses more than ``false_reject``: see `raised`.
    """
    scale = temperature(margin.ravel(), visible.ravel())
    probability = 1.0 / (1.0 + np.exp(-np.clip(margin.astype(np.float64) / scale, -60, 60)))
    pooled = probability[visible]
    found = {}
    for index, name in enumerate(keypoints):
        own = probability[visible[:, index], index]
        if len(own) < 1 / false_reject:
            own = pooled
        above, below = (_cut(own, rate) for rate in (false_reject, false_reject * UNSURE_SHARE))
        if len(own) < 1 / false_reject:
            above, below = min(above, 0.5), min(below, 0.5)
        found[name] = Threshold(visible_above=max(above, LEAST_ABOVE), hidden_below=min(below, above))
    return Thresholds(temperature=round(scale, 4), keypoint=found)


def raised(thresholds: Thresholds) -> list[str]:
    """Names of the keypoints that the networks call missing too often when they are there.

    Their thresholds were kept at LEAST_ABOVE: more good parts are rejected for them than was asked for.
    """
    return [name for name, limits in thresholds.keypoint.items() if limits.visible_above <= LEAST_ABOVE]


def _cut(probability: NDArray[np.float64], rate: float) -> float:
    """The highest threshold that loses at most ``rate`` of these, rounded down; one half where there are none."""
    if not len(probability):
        return 0.5
    ordered = np.sort(probability)
    return math.floor(float(ordered[int(rate * len(ordered))]) * 1e4) / 1e4


def _logistic(inputs: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's method with a small ridge; converges for any finite input."""
    weight = np.full(inputs.shape[1], 0.1)
    loss = _log_loss(inputs, target, weight)
    for _ in range(_NEWTON_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(inputs @ weight, -60, 60)))
        gradient = inputs.T @ (p - target) / len(target) + _RIDGE * weight
        curvature = (inputs * (p * (1 - p))[:, None]).T @ inputs / len(target) + _RIDGE * np.eye(len(weight))
        step = np.linalg.solve(curvature, gradient)
        while (worse := _log_loss(inputs, target, weight - step)) > loss and np.abs(step).max() > 1e-9:
            step /= 2
        if np.abs(step).max() <= 1e-9:
            break
        weight, loss = weight - step, worse
    return weight


def _log_loss(inputs: NDArray[np.float64], target: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    z = inputs @ weight
    return float((np.logaddexp(0, z) - target * z).mean() + _RIDGE / 2 * (weight @ weight))
