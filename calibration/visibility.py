"""When a keypoint counts as visible: how far its logits can be trusted, and two thresholds per keypoint.

From parts that were neither trained on nor used to choose anything, so that the stated miss rate holds on the line. It is
held there in the mean, and not only on the parts at hand: a threshold is the k-th smallest probability of n visible
examples with k = floor(rate * (n + 1)), so that the next visible one lies below it with the chance k / (n + 1), at most
the rate, whatever the distribution (split conformal prediction; Vovk et al. 2005, Lei et al. 2018).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.proportion import clopper_pearson
from pipeline.thresholds import Threshold, Thresholds

_NEWTON_STEPS = 50
_RIDGE = 1e-3
LEAST_ABOVE = 0.01  # no lower threshold is written: a feature that is missing would pass for one that is there
UNSURE_SHARE = (
    0.25  # of the miss rate: at most this share of the visible keypoints is called hidden, the rest of it unsure
)
LEAST_UNSEEN = 30  # without one accepted of so many, the false accepts are still only known to be below 12 %


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
    """What margins (N,) are divided by so that probabilities are frequencies (Guo et al. 2017, 1706.04599).

    Targets are (n + 1) / (n + 2) and 1 / (n + 2) in place of 1 and 0 (Platt 1999), so that margins that part the two kinds
    without an error do not count as certain. 1 where there is only one kind, of which nothing can be learnt.
    """
    count, unseen = int(visible.sum()), int((~visible).sum())
    if not count or not unseen:
        return 1.0
    target = np.where(visible, (count + 1) / (count + 2), 1 / (unseen + 2))
    factor = float(_logistic(margin[:, None].astype(np.float64), target)[0])
    return float(np.clip(1.0 / factor, 0.05, 20.0)) if factor > 0 else 20.0


def probabilities(margin: NDArray[np.floating], scale: float) -> NDArray[np.float64]:
    """Margins at a temperature as the chance of being visible, as the visibility stage has it."""
    return np.asarray(0.5 + 0.5 * np.tanh(np.asarray(margin, np.float64) / scale / 2))


def calibrate(
    margin: NDArray[np.floating], visible: NDArray[np.bool_], keypoints: Sequence[str], *, false_reject: float
) -> Thresholds:
    """Temperature and thresholds of a view.

    Args:
        margin: (N, K), logit of existing minus logit of not existing.
        visible: (N, K).
        keypoints: the K names.
        false_reject: share of the visible keypoints that may fall below ``visible_above`` on new parts.

    Returns:
        ``hidden_below`` holds for UNSURE_SHARE of that rate. A keypoint's own threshold is shrunk towards that of all
        keypoints together, see `_shrunk`. Where even all are too few to state the rate, it is one half or what loses
        none of them. No ``visible_above`` lies below LEAST_ABOVE, even where that loses more: see `raised`. The
        intervals are those of `clopper_pearson`; a keypoint's parts must be independent for them, not its neighbours.
    """
    scale = temperature(margin.ravel(), visible.ravel())
    probability = probabilities(margin, round(scale, 4))
    rates = (false_reject, false_reject * UNSURE_SHARE)
    pooled = [_pooled(probability[visible], rate) for rate in rates]
    found = {}
    for index, name in enumerate(keypoints):
        own, unseen = (np.sort(probability[which[:, index], index]) for which in (visible, ~visible))
        above, below = (_shrunk(own, at, rate) for at, rate in zip(pooled, rates, strict=True))
        above = max(_floored(above), LEAST_ABOVE)
        found[name] = Threshold(
            visible_above=above,
            hidden_below=min(_floored(below), above),
            examples=(len(own), len(unseen)),
            false_reject=_interval(int((own < above).sum()), len(own)),
            false_accept=_interval(int((unseen >= above).sum()), len(unseen)),
        )
    return Thresholds(temperature=round(scale, 4), keypoint=found, false_reject=false_reject)


def raised(thresholds: Thresholds) -> list[str]:
    """Names of the keypoints that the networks call missing too often when they are there.

    Their thresholds were kept at LEAST_ABOVE: more good parts are rejected for them than was asked for.
    """
    return [name for name, limits in thresholds.keypoint.items() if limits.visible_above <= LEAST_ABOVE]


def concerns(thresholds: Thresholds) -> list[str]:
    """What a person should know of a calibration before using it, a sentence each."""
    rate = thresholds.false_reject or 0.5
    found = [
        f"{name} is often taken for missing when it is there; its visible_above is kept at {LEAST_ABOVE}, so that more than "
        f"{rate:.1%} of such parts are rejected: check its labels, or give more of them"
        for name in raised(thresholds)
    ]
    counts = {name: limits.examples or (0, 0) for name, limits in thresholds.keypoint.items()}
    few = [f"{name} ({seen})" for name, (seen, _) in counts.items() if seen + 1 < 1 / rate]
    if few:
        found.append(
            f"visible in too few parts to state a miss rate of {rate:.1%}, which needs {math.ceil(1 / rate) - 1}; their "
            f"thresholds lean on those of all keypoints: {', '.join(few)}"
        )
    blind = [f"{name} ({unseen})" for name, (_, unseen) in counts.items() if unseen < LEAST_UNSEEN]
    if blind:
        found.append(
            f"hidden or missing in fewer than {LEAST_UNSEEN} parts, so that little is known of how often they are "
            f"reported though they cannot be seen: {', '.join(blind)}"
        )
    return found


def _rank(rate: float, count: int) -> int:
    """The k of the k-th smallest of ``count`` below which the next one lies with a chance of at most ``rate``; 0: none."""
    return int(rate * (count + 1) + 1e-9)


def _pooled(probability: NDArray[np.float64], rate: float) -> float:
    """The threshold of all keypoints together, from their visible examples (n,)."""
    if not len(probability):
        return 0.5
    rank = _rank(rate, len(probability))
    if not rank:
        return min(0.5, float(probability.min()))
    return float(np.partition(probability, rank - 1)[rank - 1])


def _shrunk(own: NDArray[np.float64], pooled: float, rate: float) -> float:
    """A keypoint's threshold: its own order statistic, drawn to the pooled threshold where it rests on too little.

    Between the two on the scale of logits. Below the pooled one its own has weight 1 as soon as its examples can state
    the rate, since a higher threshold would break it; above it, where only false accepts are at stake, the weight is
    k / (k + 1) of the k-th smallest, so that a lucky draw of few examples does not reject good parts.

    Args:
        own: (n,) probabilities of its visible examples, sorted.
        pooled: the threshold of all keypoints together.
        rate: at most this share of visible ones may lie below.
    """
    count, rank = len(own), _rank(rate, len(own))
    if not count:
        return pooled
    mine = float(own[max(rank, 1) - 1])
    weight = min(1.0, rate * (count + 1)) if mine < pooled else rank / (rank + 1)
    if weight == 1.0:
        return mine  # exactly: rounding may not lift it above the example that it is
    at = weight * _logit(mine) + (1 - weight) * _logit(pooled)
    return 1.0 / (1.0 + math.exp(-at))


def _logit(probability: float) -> float:
    bounded = min(max(probability, 1e-12), 1 - 1e-12)
    return math.log(bounded / (1 - bounded))


def _floored(probability: float) -> float:
    return math.floor(probability * 1e4) / 1e4


def _interval(count: int, total: int) -> tuple[float, float]:
    """To four places, never narrower than it is."""
    low, high = clopper_pearson(count, total)
    return _floored(low), min(math.ceil(high * 1e4) / 1e4, 1.0)


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
