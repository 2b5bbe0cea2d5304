"""A picture that shows whether sigma holds what it says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from calibration.proportion import clopper_pearson
from calibration.sigma import WITHIN_1_SIGMA, WITHIN_2_SIGMA
from pipeline.sigma import SigmaScale, apply

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

_BEFORE, _AFTER = "0.55", "tab:blue"
_WITHIN = ((1, WITHIN_1_SIGMA, "tab:blue"), (2, WITHIN_2_SIGMA, "tab:purple"))
_GROUPS = 8
_MOST_ROWS = 40
_LARGEST = 4.5  # sigma, of the drawn range
_LEAST_SHARE = 0.4  # where the axis of shares starts, if no share is smaller
Array = NDArray[np.float64]


def draw_sigma(
    error_px: Array,
    sigma_px: Array,
    visible: NDArray[np.bool_],
    keypoints: Sequence[str],
    scale: SigmaScale,
    path: Path,
) -> None:
    """Write a PNG: errors over sigma against a normal distribution, and the shares within one and two sigma.

    Args:
        error_px: (N, K, 2), found minus true position, sensor px; nan where either is not known.
        sigma_px: (N, K), before ``scale``, sensor px per axis; nan where there is none.
        visible: (N, K), which count.
        keypoints: the K names; of more than 40 the first are drawn.
        scale: the calibration.
        path: where to; its folder is made.
    """
    calibrated = apply(scale, sigma_px)
    use = visible & np.isfinite(error_px).all(2) & np.isfinite(calibrated) & (calibrated > 0)
    before, after = (np.abs(error_px[use]) / sigma[use][:, None] for sigma in (sigma_px, calibrated))
    figure, axes = plt.subplots(
        1, 3, figsize=(16, max(5.6, 1.8 + 0.26 * min(len(keypoints), _MOST_ROWS))), layout="constrained"
    )
    _quantiles(axes[0], before.ravel(), after.ravel(), scale)
    _by_size(axes[1], calibrated[use], after)
    _by_keypoint(axes[2], np.nonzero(use)[1], after, keypoints)
    figure.suptitle(
        f"Sigma against what was found, {after.size} coordinates of {len(after)} visible keypoints", fontsize=12
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _quantiles(axis: Axes, before: Array, after: Array, scale: SigmaScale) -> None:
    axis.plot((0, _LARGEST), (0, _LARGEST), color="0.8", lw=1)
    for word, ratio, colour in (("as the networks say it", before, _BEFORE), ("calibrated", after, _AFTER)):
        if not len(ratio):
            continue
        rank = (np.arange(len(ratio)) + 0.5) / len(ratio)
        rank = rank[np.linspace(0, len(rank) - 1, min(len(rank), 400)).astype(int)]
        normal = [NormalDist().inv_cdf(0.5 + share / 2) for share in rank]
        shares = ", ".join(f"{np.mean(ratio <= times):.1%} within {times}" for times, *_ in _WITHIN)
        axis.plot(normal, np.quantile(ratio, rank), ".-", ms=3, lw=1, color=colour, label=f"{word}:\n{shares} sigma")
    axis.set(xlim=(0, _LARGEST * 0.8), ylim=(0, _LARGEST))
    axis.set(xlabel="|error| / sigma of a normal distribution", ylabel="|error| / sigma that was found")
    axis.set_title("Below the grey line errors are smaller than sigma says,\nabove it larger (tails)", fontsize=11)
    checked = (scale.within_1_sigma, scale.within_2_sigma)
    title = None if None in checked else "on parts left out in turn: {:.1%} and {:.1%}".format(*checked)
    if len(after):
        axis.legend(loc="lower right", fontsize=8.5, title=title, title_fontsize=8.5)
    axis.grid(alpha=0.3)


def _by_size(axis: Axes, sigma_px: Array, ratio: Array) -> None:
    """Shares within groups of equal size, from the smallest sigmas to the largest."""
    order = np.argsort(sigma_px)
    groups = [group for group in np.array_split(order, _GROUPS) if len(group)]
    at = np.array([float(np.median(sigma_px[group])) for group in groups])
    least = _LEAST_SHARE
    for times, bar, colour in _WITHIN:
        axis.axhspan(*bar, color=colour, alpha=0.13, lw=0)
        share, errors = _shares([ratio[group] for group in groups], times)
        least = min(least, float(share.min(initial=1.0)) - 0.03)
        axis.errorbar(at, share, errors, fmt="o-", ms=5, lw=1, capsize=2, color=colour, label=f"within {times} sigma")
    axis.set(xscale="log", ylim=(least, 1.02), xlabel="calibrated sigma, px", ylabel="share (bars: 95 % interval)")
    axis.set_title("Small sigmas and large ones should hold alike:\npoints within the bands", fontsize=11)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.legend(loc="lower right", fontsize=9)
    axis.grid(alpha=0.3, which="both")


def _by_keypoint(axis: Axes, keypoint: NDArray[np.int64], ratio: Array, names: Sequence[str]) -> None:
    rows, least = range(min(len(names), _MOST_ROWS)), _LEAST_SHARE
    for times, bar, colour in _WITHIN:
        axis.axvspan(*bar, color=colour, alpha=0.13, lw=0)
        known = [row for row in rows if (keypoint == row).any()]
        share, errors = _shares([ratio[keypoint == row] for row in known], times)
        least = min(least, float(share.min(initial=1.0)) - 0.03)
        axis.errorbar(share, known, xerr=errors, fmt="o", ms=5, lw=1, capsize=2, color=colour)
    axis.set_yticks(list(rows), [names[row] for row in rows], fontsize=9)
    axis.set(ylim=(len(rows) - 0.5, -0.5), xlim=(least, 1.02), xlabel="share within 1 and within 2 calibrated sigma")
    axis.set_title("Each keypoint", fontsize=11)
    axis.grid(alpha=0.3)


def _shares(groups: Sequence[Array], times: float) -> tuple[Array, Array]:
    """Shares (G,) and how far their intervals reach down and up (2, G)."""
    counts = [(int((group <= times).sum()), group.size) for group in groups]
    share = np.array([count / total for count, total in counts])
    limits = np.array([clopper_pearson(count, total) for count, total in counts]).reshape(-1, 2)
    return share, np.abs(limits.T - share)
