"""Pictures that show whether visibility and sigma can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from calibration.proportion import clopper_pearson
from calibration.visibility import UNSURE_SHARE, probabilities
from pipeline.thresholds import Thresholds
from training.data import HIDDEN, MISSING, VISIBLE

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Patch

BEFORE, AFTER = "0.55", "tab:blue"
_KINDS = {VISIBLE: ("visible", "tab:green"), HIDDEN: ("hidden", "tab:orange"), MISSING: ("missing", "tab:red")}
_BINS = np.linspace(0.0, 1.0, 11)
_MOST_ROWS = 40
_TICKS = (0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
_END = 10.5  # logit, of the drawn range: further ones are drawn at its ends


def draw_visibility(
    margin: NDArray[np.floating],
    state: NDArray[np.integer],
    keypoints: Sequence[str],
    thresholds: Thresholds,
    path: Path,
) -> None:
    """Write a PNG: are probabilities frequencies, and how far apart are visible and other keypoints.

    Args:
        margin: (N, K), logit of existing minus logit of not existing.
        state: (N, K) of the labels, 2 visible, 1 hidden, 0 missing.
        keypoints: the K names; of more than 40 those are drawn that are accepted wrongly most often.
        thresholds: of these keypoints.
        path: where to; its folder is made.
    """
    shown = _worst_first(keypoints, thresholds) if len(keypoints) > _MOST_ROWS else list(range(len(keypoints)))
    height = max(6.4, 2.2 + 0.44 * len(shown))
    figure = plt.figure(figsize=(15, height), layout="constrained")
    grid = figure.add_gridspec(1, 2, width_ratios=(0.42, 0.58))
    halves = grid[0].subgridspec(2, 1, height_ratios=(0.72, 0.28))
    diagram, counts = (figure.add_subplot(halves[row]) for row in (0, 1))
    _reliability(diagram, counts, margin.ravel(), (state == VISIBLE).ravel(), thresholds.temperature)
    _rows(figure.add_subplot(grid[1]), margin / thresholds.temperature, state, keypoints, shown, thresholds)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _reliability(
    diagram: Axes, counts: Axes, margin: NDArray[np.floating], visible: NDArray[np.bool_], temperature: float
) -> None:
    diagram.plot((0, 1), (0, 1), color="0.8", linewidth=1)
    drawn = (("before", 1.0, BEFORE, -0.006), ("after", temperature, AFTER, 0.006))
    for number, (word, scale, colour, aside) in enumerate(drawn):
        probability = probabilities(margin, scale)
        place = np.clip(np.digitize(probability, _BINS) - 1, 0, len(_BINS) - 2)
        total = np.bincount(place, minlength=len(_BINS) - 1)
        seen, mass = (np.bincount(place, weights=w, minlength=len(total)) for w in (visible, probability))
        used = np.flatnonzero(total)
        share, said = seen[used] / total[used], mass[used] / total[used]
        limits = np.array([clopper_pearson(int(seen[at]), int(total[at])) for at in used]).reshape(-1, 2)
        gap = float((total[used] * np.abs(share - said)).sum() / max(total.sum(), 1))
        bars = np.abs(limits.T - share)
        label = f"{word}, temperature {scale:.3g}: off by {gap:.1%} on average"
        diagram.errorbar(said + aside, share, bars, fmt="o", ms=5, color=colour, capsize=2, lw=1, label=label)
        width = 0.042
        counts.bar((_BINS[:-1] + _BINS[1:]) / 2 + (number - 0.5) * width, total, width, color=colour)
    diagram.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share that was visible (bars: 95 % interval)")
    diagram.set_title("Probability of being visible: said and true\n(on the grey line they agree)", fontsize=11)
    diagram.legend(loc="upper left", fontsize=9)
    diagram.grid(alpha=0.3)
    counts.set(xlim=(-0.02, 1.02), xlabel="probability that the networks say", ylabel="keypoints")
    counts.set_yscale("symlog", linthresh=1)
    counts.set_ylim(bottom=0)
    counts.grid(alpha=0.3, axis="y")


def _rows(
    axis: Axes,
    logit: NDArray[np.floating],
    state: NDArray[np.integer],
    keypoints: Sequence[str],
    shown: Sequence[int],
    thresholds: Thresholds,
) -> None:
    """A row a keypoint: histogram of the visible ones upwards, of the hidden and missing ones downwards, thresholds across."""
    edges = np.linspace(-_END, _END, 85)
    for row, index in enumerate(shown):
        limits = thresholds.of(keypoints[index])
        below, above = (_logit(value) for value in (limits.hidden_below, limits.visible_above))
        axis.fill_betweenx((row - 0.46, row + 0.46), below, above, color="0.88", zorder=0)
        axis.plot((above, above), (row - 0.46, row + 0.46), color="black", lw=1.2)
        axis.plot((below, below), (row - 0.46, row + 0.46), color="black", lw=1.2, linestyle=(0, (2, 1.5)))
        for kind, (_, colour) in _KINDS.items():
            own = np.clip(logit[state[:, index] == kind, index], -_END, _END)
            if len(own):
                heights = np.histogram(own, edges)[0].astype(float)
                heights = 0.42 * np.sqrt(heights / heights.max()) * (-1 if kind == VISIBLE else 1)
                axis.stairs(row + heights, edges, baseline=row, fill=True, color=colour, alpha=0.6, zorder=2)
        axis.text(_END + 0.3, row, _rates(thresholds, keypoints[index]), va="center", fontsize=8.5)
    axis.set(xlim=(-_END, _END), ylim=(len(shown) - 0.4, -0.6), xlabel="calibrated probability of being visible")
    axis.set_xticks([_logit(tick) for tick in _TICKS], [f"{tick:g}" for tick in _TICKS])
    axis.set_yticks(range(len(shown)), [keypoints[index] for index in shown], fontsize=9)
    axis.text(
        _END + 0.3, -0.75, "visible but rejected,\naccepted though unseen\n(95 % intervals)", fontsize=8.5, va="bottom"
    )
    few = "" if len(shown) == len(keypoints) else f", {len(shown)} worst of {len(keypoints)}"
    rate = thresholds.false_reject
    aim = (
        ""
        if rate is None
        else f": {rate:.3g} of the visible may lie left of the line, {rate * UNSURE_SHARE:.3g} of the dashes"
    )
    axis.set_title(f"Each keypoint{few}{aim}", fontsize=10.5, pad=26, loc="left")
    handles = [Patch(color=colour, alpha=0.6, label=word) for word, colour in _KINDS.values()]
    handles.append(Patch(color="0.88", label="unsure: from dashes to line"))
    axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, fontsize=8.5, frameon=False)
    axis.grid(alpha=0.25, axis="x")


def _rates(thresholds: Thresholds, name: str) -> str:
    limits = thresholds.of(name)
    pairs = (limits.false_reject, limits.false_accept)
    return ", ".join(
        "?" if pair is None or pair == (0, 1) else f"{100 * pair[0]:.1f} to {100 * pair[1]:.1f} %" for pair in pairs
    )


def _worst_first(keypoints: Sequence[str], thresholds: Thresholds) -> list[int]:
    accepted = [(thresholds.of(name).false_accept or (0.0, 1.0))[0] for name in keypoints]
    return sorted(range(len(keypoints)), key=lambda index: -accepted[index])[:_MOST_ROWS]


def _logit(probability: float) -> float:
    bounded = min(max(probability, 1e-9), 1 - 1e-9)
    return float(np.clip(np.log(bounded / (1 - bounded)), -_END, _END))
