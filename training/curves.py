"""The course of a training as a picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

History = list[dict[str, float]]
_MEASURED = ("mean_px", "median_px", "p95_px")


def draw(histories: dict[str, History], path: Path) -> None:
    """Write a PNG with one row of plots per network: losses (logarithmic), and errors on the validation parts."""
    figure, axes = plt.subplots(len(histories), 2, figsize=(11, 3.6 * len(histories)), squeeze=False)
    for (loss_axis, error_axis), (name, history) in zip(axes, histories.items(), strict=True):
        for key in [key for key in (history[0] if history else {}) if key != "step"]:
            loss_axis.plot([row["step"] for row in history], [row[key] for row in history], label=key)
        loss_axis.set(title=f"{name}: {verdict(history)}", yscale="log", xlabel="step", ylabel="loss")
        measured = [row for row in history if _MEASURED[0] in row]
        for key in _MEASURED:
            if measured and key in measured[0]:
                error_axis.plot([row["step"] for row in measured], [row[key] for row in measured], ".-", label=key)
        error_axis.set(title="validation, visible keypoints", yscale="log", xlabel="step", ylabel="px of the original")
        for axis in (loss_axis, error_axis):
            axis.grid(alpha=0.3, which="both")
            if axis.lines:
                axis.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def verdict(history: History) -> str:
    """In words, whether the position loss has come to rest: its last tenth against the tenth before."""
    losses = [row["position"] for row in history if "position" in row]
    tenth = len(losses) // 10
    if tenth < 1:
        return "too short to judge"
    last, before = (sum(part) / tenth for part in (losses[-tenth:], losses[-2 * tenth : -tenth]))
    gain = 1.0 - last / before if before > 0 else 0.0
    if gain < -0.05:
        return f"diverging, the last tenth is {-gain:.0%} worse"
    return "converged" if gain < 0.02 else f"still improving, {gain:.0%} in the last tenth"
