"""The course of a training as a picture, and in words whether it came to rest."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

History = list[dict[str, float]]
JUDGED = "position"
_VALIDATED = "mean_px"
_MEANING = {
    "position": "position (0 at the truth)",
    "visibility": "visibility (0 at the truth)",
    "sigma": "sigma (0 only where it is every single error)",
    "flow": "flow (a likelihood: may be below 0)",
}
_RESTING, _WORSE, _OVERFITTED = 0.02, 0.05, 0.05


def draw(histories: dict[str, History], path: Path) -> None:
    """Write a PNG with one row of plots per network, and the verdict on each in words.

    Left are all losses; right the errors on the validation parts in px of the original, and the learning rate.
    """
    figure, axes = plt.subplots(len(histories), 2, figsize=(13, 4.2 * len(histories)), squeeze=False)
    for (loss_axis, error_axis), (name, history) in zip(axes, histories.items(), strict=True):
        _draw_losses(loss_axis, history)
        _draw_errors(error_axis, history)
        loss_axis.set_title(textwrap.fill(f"{name}: {verdict(history)}", 74), fontsize="medium", loc="left")
        error_axis.set_title("visible keypoints of the validation parts", fontsize="medium", loc="left")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _is_loss(key: str) -> bool:
    return key not in ("step", "learning_rate", "auc") and not key.endswith("_px")


def _draw_losses(axis: Axes, history: History) -> None:
    names = [key for key in dict.fromkeys(key for row in history for key in row) if _is_loss(key)]
    lowest = math.inf
    marker = ".-" if len(history) < 60 else "-"  # a line through one point would not be seen
    for name in names:
        rows = [row for row in history if name in row]
        lowest = min(lowest, *(row[name] for row in rows))
        axis.plot([row["step"] for row in rows], [row[name] for row in rows], marker, label=_MEANING.get(name, name))
    axis.set(xlabel="step", ylabel="loss, as it is weighted")
    if lowest > 0.0:
        axis.set_yscale("log")
    else:
        axis.set_yscale("symlog", linthresh=0.1)
    _finish(axis)


def _draw_errors(axis: Axes, history: History) -> None:
    names = [key for key in dict.fromkeys(key for row in history for key in row) if key.endswith("_px")]
    for name in names:
        rows = [row for row in history if name in row]
        axis.plot([row["step"] for row in rows], [row[name] for row in rows], ".-", label=name.replace("_", " "))
    axis.set(yscale="log", xlabel="step", ylabel="px of the original")
    rates = [row for row in history if "learning_rate" in row]
    if rates:
        beside = axis.twinx()
        beside.plot([row["step"] for row in rates], [row["learning_rate"] for row in rates], ":", color="grey")
        beside.set(ylabel="learning rate (dotted)", ylim=(0.0, None))
    _finish(axis)


def _finish(axis: Axes) -> None:
    axis.grid(alpha=0.3, which="both")
    if axis.lines:
        axis.legend(fontsize="small")


def verdict(history: History) -> str:
    """In words: where the position loss went, whether it has come to rest, and what validation says of it."""
    losses = [row[JUDGED] for row in history if JUDGED in row]
    if not losses:
        return "nothing trained"
    said = [f"{JUDGED} loss {losses[0]:.3g} to {losses[-1]:.3g}", course(losses)]
    return ", ".join(part for part in (*said, overfitting(history)) if part)


def course(losses: list[float]) -> str:
    """The last tenth against the tenth before. Less than twice the standard error of their difference is no change."""
    tenth = len(losses) // 10
    if tenth < 1:
        return "too short to judge"
    last, before = losses[-tenth:], losses[-2 * tenth : -tenth]
    mean = sum(before) / tenth
    if mean <= 0.0:
        return "converged"
    gain = 1.0 - sum(last) / tenth / mean
    if abs(gain) <= 2.0 * _standard_error(last, before) / mean or -_WORSE <= gain < _RESTING:
        return "converged"
    return (
        f"still improving, {gain:.0%} in the last tenth"
        if gain > 0
        else f"diverging, the last tenth is {-gain:.0%} worse"
    )


def _standard_error(*groups: list[float]) -> float:
    """Of the difference of two means; 0 where there are too few values to know."""
    squares = 0.0
    for group in groups:
        mean = sum(group) / len(group)
        squares += sum((value - mean) ** 2 for value in group) / max(1, len(group) - 1) / len(group)
    return math.sqrt(squares)


def overfitting(history: History) -> str:
    """What to say if the validation error has risen from its best while the training loss fell on; else nothing."""
    rows = [row for row in history if _VALIDATED in row and JUDGED in row]
    if len(rows) < 2:
        return ""
    best = min(rows, key=lambda row: row[_VALIDATED])
    last = rows[-1]
    risen = last[_VALIDATED] / best[_VALIDATED] - 1.0 if best[_VALIDATED] > 0 else 0.0
    if risen < _OVERFITTED or last[JUDGED] >= best[JUDGED]:
        return f"validation {last[_VALIDATED]:.3g} px"
    return (
        f"but overfits since step {best['step']:.0f}: validation rose from {best[_VALIDATED]:.3g} to "
        f"{last[_VALIDATED]:.3g} px while the loss fell"
    )
