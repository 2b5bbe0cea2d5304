"""When a keypoint counts as visible: how far its logits can be trusted, and two thresholds per keypoint.

From parts that were neither trained on nor used to choose anything, so that the stated miss rate holds on the line. It is
held there in the mean, and not only on the parts at hand: a threshold is the k-th smallest probability of n visible
examples with k = rate * (n + 1), so that the next visible one lies below it with the chance k / (n + 1), whatever the
distribution (split conformal prediction; Vovk et al. 2005, Lei et al. 2018). Of two hundred examples at 1 % that is the
second smallest: chance. So keypoints share what they know as far as they are alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from calibration.proportion import clopper_pearson
from pipeline.thresholds import Threshold, Thresholds

_NEWTON_STEPS = 50
_RIDGE = 1e-3
LEAST_ABOVE = 0.01  # no lower threshold is written: a feature that is missing would pass for one that is there
UNSURE_SHARE = 0.25  # of the miss rate: so many of the visible keypoints are called hidden, the rest of it unsure
_TAIL_EXAMPLES = 10
_DOUBT = 0.9  # a share whose two-sided interval at this level lies above the rate contradicts it: 5 % by chance
# Of the first network, where a pose is told from its keypoints: those that it takes to be hidden must weigh less there.
# At a tenth, with 4 of 9 keypoints hidden and pulled aside together, poses are 7.8 px off in place of 15.5 at no weight
# and 6.6 at the whole; it cost a trained cascade 0.0001 of its visibility's AUC (0.9957), twice as much twice that.
LEAST_FIRST = 0.1
LEAST_UNSEEN = 30  # without one accepted of so many, the false accepts are still only known to be below 12 %


def fuse(margins: NDArray[np.floating], visible: NDArray[np.bool_], *, first: float = 0.0) -> NDArray[np.float64]:
    """Factors, 0 or more, whose weighted sum of margins predicts visibility best (logistic regression, no constant).

    Args:
        margins: (N, F), logit of existing minus logit of not existing, of F networks.
        visible: (N,).
        first: least factor of the first network; the others are then the best beside it. See LEAST_FIRST.

    Returns:
        (F,). A network that does not help gets 0.
    """
    inputs, target = margins.astype(np.float64), visible.astype(np.float64)
    factors = _not_negative(inputs, target, np.zeros(len(target)))
    if factors[0] < first:
        factors[0] = first
        factors[1:] = _not_negative(inputs[:, 1:], target, first * inputs[:, 0])
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
        keypoints together, see `_limits`. Where even all are too few to state the rate, it is one half or what loses
        none of them. No ``visible_above`` lies below LEAST_ABOVE, even where that loses more: see `raised`. The
        intervals are those of `clopper_pearson`; a keypoint's parts must be independent for them, not its neighbours.
    """
    scale = temperature(margin.ravel(), visible.ravel())
    scale = round(scale, 4)
    logit = np.asarray(margin, np.float64) / scale
    own = [np.sort(logit[visible[:, index], index]) for index in range(len(keypoints))]
    aboves, belows = (_limits(own, rate) for rate in (false_reject, false_reject * UNSURE_SHARE))
    found = {}
    for name, above, below in zip(keypoints, aboves, belows, strict=True):
        at, under = (_floored(float(share)) for share in probabilities(np.array((above, below)), 1.0))
        found[name] = Threshold(visible_above=max(at, LEAST_ABOVE), hidden_below=min(under, max(at, LEAST_ABOVE)))
    probability = probabilities(margin, scale)
    reported = probability >= [limits.visible_above for limits in found.values()]
    return counted(Thresholds(scale, found, false_reject), reported, visible)


def counted(thresholds: Thresholds, reported: NDArray[np.bool_], visible: NDArray[np.bool_]) -> Thresholds:
    """Thresholds with the figures of what was reported with them.

    Args:
        thresholds: of K keypoints, in their order.
        reported: (N, K), reported visible.
        visible: (N, K), truly so.
    """
    keypoint = {}
    for index, (name, limits) in enumerate(thresholds.keypoint.items()):
        own, unseen = (reported[which[:, index], index] for which in (visible, ~visible))
        keypoint[name] = msgspec.structs.replace(
            limits,
            examples=(len(own), len(unseen)),
            false_reject=_interval(int((~own).sum()), len(own)),
            false_accept=_interval(int(unseen.sum()), len(unseen)),
        )
    return msgspec.structs.replace(thresholds, keypoint=keypoint)


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


def _limits(own: Sequence[NDArray[np.float64]], rate: float) -> list[float]:
    """A limit for each keypoint that loses ``rate`` of its visible ones, shrunk towards that of all (empirical Bayes).

    A keypoint's own estimate is its order statistic; where it has too few examples even for the smallest, that is carried
    on downwards along an exponential tail. Such a tail of scale s makes the k-th smallest vary by s² (1/k + 1/(2 k²)),
    about. What the estimates differ by beyond this is between the keypoints: they keep their own to the degree that it
    outweighs their chance. At last a limit is lowered until the keypoint's own examples do not contradict the rate.

    Args:
        own: of each keypoint the calibrated logits of its visible examples, sorted.
        rate: share that may lie below.

    Returns:
        In calibrated logits. Where all examples together are too few to state the rate: 0, or what loses none of them.
    """
    everything = np.sort(np.concatenate(list(own)))
    if rate * (len(everything) + 1) < 1:
        return [float(everything.min(initial=0.0))] * len(own)
    pooled = _order_statistic(everything, rate)
    tails = [_tail(one, rate) for one in own if len(one) >= 2 * _TAIL_EXAMPLES]
    tail = float(np.median(tails)) if tails else _tail(everything, rate)
    ranks = np.array([rate * (len(one) + 1) for one in own])
    estimates = np.array(
        [
            _order_statistic(one, rate) + tail * min(math.log(rank), 0.0) if len(one) else pooled
            for one, rank in zip(own, ranks, strict=True)
        ]
    )
    orders = np.maximum(ranks, 1.0)
    variances = tail**2 * (1 / orders + 1 / (2 * orders**2))
    sound = ranks >= 1
    between = estimates[sound].var(ddof=1) - variances[sound].mean() if sound.sum() > 1 else 0.0
    weights = np.maximum(between, 0.0) / np.maximum(np.maximum(between, 0.0) + variances, 1e-12)
    shrunk = np.where([len(one) > 0 for one in own], weights * estimates + (1 - weights) * pooled, pooled)
    return [_uncontradicted(one, float(limit), rate) for one, limit in zip(own, shrunk, strict=True)]


def _order_statistic(ordered: NDArray[np.float64], rate: float) -> float:
    """The k-th smallest, k = rate * (n + 1), between two where k is none; the smallest where k is below 1.

    Lies between them in logits, in which the tail of a distribution is convex: so the next one lies below with at most the
    chance k / (n + 1).
    """
    place = max(rate * (len(ordered) + 1) - 1, 0.0)
    return float(np.interp(place, np.arange(len(ordered)), ordered))


def _tail(ordered: NDArray[np.float64], rate: float) -> float:
    """The scale of an exponential tail: how far the smallest lie below the first that is not one of them, in the mean."""
    count = min(max(math.ceil(rate * len(ordered)), _TAIL_EXAMPLES), len(ordered) - 1)
    return float((ordered[count] - ordered[:count]).mean()) if count > 0 else 0.0


def _uncontradicted(own: NDArray[np.float64], limit: float, rate: float) -> float:
    """``limit``, or the highest one below which so few of a keypoint's examples lie that they may do so by chance."""
    found = int(np.searchsorted(own, limit))
    if not found or clopper_pearson(found, len(own), level=_DOUBT)[0] <= rate:
        return limit
    below = int(rate * len(own))
    while below < len(own) and clopper_pearson(below + 1, len(own), level=_DOUBT)[0] <= rate:
        below += 1
    return min(limit, float(own[below])) if below < len(own) else limit


def _floored(probability: float) -> float:
    return math.floor(probability * 1e4) / 1e4


def _interval(count: int, total: int) -> tuple[float, float]:
    """To four places, never narrower than it is."""
    low, high = clopper_pearson(count, total)
    return _floored(low), min(math.ceil(high * 1e4) / 1e4, 1.0)


def _not_negative(
    inputs: NDArray[np.float64], target: NDArray[np.float64], given: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The best factors (F,) of 0 or more for inputs (N, F), beside the margins (N,) that are given."""
    use = np.ones(inputs.shape[1], bool)
    factors = np.zeros(inputs.shape[1])
    while use.any():
        factors[:] = 0.0
        factors[use] = _logistic(inputs[:, use], target, given)
        if (factors >= 0).all():
            break
        use &= factors > 0
        factors[:] = 0.0
    return factors


def _logistic(
    inputs: NDArray[np.float64], target: NDArray[np.float64], given: NDArray[np.float64] | float = 0.0
) -> NDArray[np.float64]:
    """Newton's method with a small ridge; converges for any finite input. ``given`` (N,) is added to what it weighs."""
    weight = np.full(inputs.shape[1], 0.1)
    loss = _log_loss(inputs, target, weight, given)
    for _ in range(_NEWTON_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(inputs @ weight + given, -60, 60)))
        gradient = inputs.T @ (p - target) / len(target) + _RIDGE * weight
        curvature = (inputs * (p * (1 - p))[:, None]).T @ inputs / len(target) + _RIDGE * np.eye(len(weight))
        step = np.linalg.solve(curvature, gradient)
        while (worse := _log_loss(inputs, target, weight - step, given)) > loss and np.abs(step).max() > 1e-9:
            step /= 2
        if np.abs(step).max() <= 1e-9:
            break
        weight, loss = weight - step, worse
    return weight


def _log_loss(
    inputs: NDArray[np.float64],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    given: NDArray[np.float64] | float,
) -> float:
    z = inputs @ weight + given
    return float((np.logaddexp(0, z) - target * z).mean() + _RIDGE / 2 * (weight @ weight))
