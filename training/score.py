"""Figures of merit of positions and visibility, over all parts of a set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from training.data import HIDDEN, MISSING, VISIBLE

FAILED_PX = 20.0
OFF_PX, GROSS_PX = (
    20.0,
    40.0,
)  # an occluded keypoint that far away is of no use; so is a part with any keypoint so far away
PCK_PX = (0.5, 1.0, 2.0, 5.0)
PCK_DIAGONAL = (0.02, 0.05)


@dataclass(frozen=True)
class Scored:
    """What was found against what is true. N parts found, K keypoints; errors in px of the original image.

    Attributes:
        coarse_px, refined_px: (N, K) errors, of the first network and of all.
        jittered_px: (N, K), of refinement from the truth with jitter; None where the view does not refine.
        margin: (N, K) logit of existing minus logit of not existing.
        reported: (N, K) bool, reported visible.
        state: (N, K) of the labels, 2 visible, 1 hidden, 0 missing.
        diagonal_px: (N,) of the annotated boxes.
        lost: annotated parts that locate did not find.
        posed_px: (N, K), of the second network of a cascade; None without one.
        deviations: (N, K, 2), refined minus true over sigma_px, per axis; None where the view gives no sigma.
    """

    coarse_px: NDArray[np.float64]
    refined_px: NDArray[np.float64]
    jittered_px: NDArray[np.float64] | None
    margin: NDArray[np.float64]
    reported: NDArray[np.bool_]
    state: NDArray[np.int8]
    diagonal_px: NDArray[np.float64]
    lost: int
    posed_px: NDArray[np.float64] | None = None
    deviations: NDArray[np.float64] | None = None


class Errors(msgspec.Struct, frozen=True):
    """Errors of visible keypoints in px of the original image; PCK is the share that is no further off."""

    count: int
    mean: float
    median: float
    p95: float
    p99: float
    pck: dict[str, float]


class Seen(msgspec.Struct, frozen=True):
    """Visibility. Rates are shares at the recipe's thresholds; None where the set has no such keypoints.

    Attributes:
        auc, auc_missing, auc_hidden: area under the curve, visible against all others, missing and hidden ones.
        false_reject: visible keypoints that are not reported visible.
        false_accept, …: keypoints that cannot be seen but are reported visible.
    """

    auc: float | None
    auc_missing: float | None
    auc_hidden: float | None
    false_reject: float | None
    false_accept: float | None
    false_accept_missing: float | None
    false_accept_hidden: float | None


class Occluded(msgspec.Struct, frozen=True):
    """Refined errors of keypoints that exist but are hidden: they are not reported, but the shape rests on them.

    Attributes:
        count: of such keypoints.
        off: share of them that is more than 20 px off.
        gross_parts: share of all parts found with any keypoint, visible or hidden, more than 40 px off.
    """

    count: int
    mean: float
    median: float
    off: float
    gross_parts: float


class Coverage(msgspec.Struct, frozen=True):
    """Whether sigma is honest: shares of the coordinates, two of a visible keypoint; 0.683 and 0.954 of a normal one."""

    count: int
    within_1_sigma: float
    within_2_sigma: float


class KeypointRow(msgspec.Struct, frozen=True):
    """One keypoint's line of the table."""

    name: str
    coarse: Errors
    refined: Errors
    visibility: Seen


class Report(msgspec.Struct, frozen=True):
    """All figures of one recipe's view on one set.

    Attributes:
        failed: share of the annotated parts that were not found or have a visible keypoint more than 20 px off.
        jittered: reached from the truth with jitter; None where the view does not refine.
        refined_over_jittered: mean refined error over that of ``jittered``.
        hidden_mean: mean refined error of labelled keypoints that cannot be seen, which are not reported.
        posed: after the second network of a cascade; None without one.
        occluded: None where nothing is hidden.
        sigma: None where the view gives no sigma.
    """

    recipe: str
    view: str
    parts: int
    lost: int
    failed: float
    coarse: Errors
    refined: Errors
    jittered: Errors | None
    refined_over_jittered: float | None
    hidden_mean: float | None
    visibility: Seen
    keypoints: list[KeypointRow]
    posed: Errors | None = None
    occluded: Occluded | None = None
    sigma: Coverage | None = None


def report(scored: Scored, keypoints: Sequence[str], *, recipe: str, view: str) -> Report:
    """Sum up."""
    visible = scored.state == VISIBLE
    diagonal = np.broadcast_to(scored.diagonal_px[:, None], visible.shape)
    worst = np.where(visible, scored.refined_px, 0.0).max(axis=1, initial=0.0)
    parts = len(visible) + scored.lost
    refined = errors(scored.refined_px[visible], diagonal[visible])
    jittered = None if scored.jittered_px is None else errors(scored.jittered_px[visible], diagonal[visible])
    unseen = scored.refined_px[~visible & np.isfinite(scored.refined_px)]
    rows = [
        KeypointRow(
            name,
            errors(scored.coarse_px[:, k][visible[:, k]], diagonal[:, k][visible[:, k]]),
            errors(scored.refined_px[:, k][visible[:, k]], diagonal[:, k][visible[:, k]]),
            seen(scored.margin[:, k], scored.reported[:, k], scored.state[:, k]),
        )
        for k, name in enumerate(keypoints)
    ]
    return Report(
        recipe=recipe,
        view=view,
        parts=parts,
        lost=scored.lost,
        failed=float(((worst > FAILED_PX).sum() + scored.lost) / parts) if parts else 0.0,
        coarse=errors(scored.coarse_px[visible], diagonal[visible]),
        refined=refined,
        jittered=jittered,
        refined_over_jittered=refined.mean / jittered.mean if jittered and jittered.mean else None,
        hidden_mean=float(unseen.mean()) if unseen.size else None,
        visibility=seen(scored.margin, scored.reported, scored.state),
        keypoints=rows,
        posed=None if scored.posed_px is None else errors(scored.posed_px[visible], diagonal[visible]),
        occluded=occluded(scored.refined_px, scored.state),
        sigma=None if scored.deviations is None else coverage(scored.deviations[visible]),
    )


def errors(px: NDArray[np.float64], diagonal_px: NDArray[np.float64]) -> Errors:
    """Errors (n,) of visible keypoints and the diagonal of each one's box (n,)."""
    if not len(px):
        return Errors(0, 0.0, 0.0, 0.0, 0.0, {})
    pck = {f"{limit:g}px": float((px <= limit).mean()) for limit in PCK_PX}
    pck |= {f"{share:g}diagonal": float((px <= share * diagonal_px).mean()) for share in PCK_DIAGONAL}
    p95, p99 = np.percentile(px, (95, 99))
    return Errors(len(px), float(px.mean()), float(np.median(px)), float(p95), float(p99), pck)


def occluded(px: NDArray[np.float64], state: NDArray[np.int8]) -> Occluded | None:
    """Errors (N, K) of hidden keypoints; a missing feature has no place and does not count. None without hidden ones."""
    hidden = (state == HIDDEN) & np.isfinite(px)
    if not hidden.any():
        return None
    worst = np.where((state != MISSING) & np.isfinite(px), px, 0.0).max(axis=1)
    own = px[hidden]
    return Occluded(
        count=len(own),
        mean=float(own.mean()),
        median=float(np.median(own)),
        off=float((own > OFF_PX).mean()),
        gross_parts=float((worst > GROSS_PX).mean()),
    )


def coverage(deviations: NDArray[np.float64]) -> Coverage | None:
    """Of errors (n, 2) of visible keypoints over their sigma, each axis by itself; None where there is no sigma."""
    known = np.abs(deviations[np.isfinite(deviations)])
    if not known.size:
        return None
    return Coverage(int(known.size), float((known <= 1.0).mean()), float((known <= 2.0).mean()))


def seen(margin: NDArray[np.float64], reported: NDArray[np.bool_], state: NDArray[np.int8]) -> Seen:
    """Visibility of any number of keypoints, all three of one shape."""
    visible = state == VISIBLE

    def auc(kind: int) -> float | None:
        use = visible | (state == kind)
        return _or_none(area_under_curve(margin[use], visible[use]))

    def rate(which: NDArray[np.bool_], of: NDArray[np.bool_]) -> float | None:
        return float(which[of].mean()) if of.any() else None

    return Seen(
        auc=_or_none(area_under_curve(margin, visible)),
        auc_missing=auc(MISSING),
        auc_hidden=auc(HIDDEN),
        false_reject=rate(~reported, visible),
        false_accept=rate(reported, ~visible),
        false_accept_missing=rate(reported, state == MISSING),
        false_accept_hidden=rate(reported, state == HIDDEN),
    )


def area_under_curve(score: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties half.

    Returns NaN where there is only one kind.
    """
    score, positive = np.ravel(score), np.ravel(positive)
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    return float((mean_rank[inverse][positive].sum() - count * (count + 1) / 2) / (count * others))


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
