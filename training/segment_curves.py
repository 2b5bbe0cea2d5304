"""The course of a training on masks as a picture, and in words: losses, and figures of images that are not trained on."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from training.curves import History, course

_RATE = "learning_rate"
_FALLEN = 0.02  # of IoU below its best from which on it is told


def draw(name: str, history: History, path: Path) -> None:
    """Write a PNG: left the losses, right the figures of validation images; above them the verdict."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.2))
    _draw(left, history, _losses(history))
    _draw(right, history, _figures(history))
    left.set(yscale="log", ylabel="loss, as it is weighted")
    right.set(ylabel="higher is better", ylim=(0.0, 1.0))
    left.set_title(f"{name}: {verdict(history)}", fontsize="medium", loc="left")
    right.set_title("images that are not trained on", fontsize="medium", loc="left")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def verdict(history: History) -> str:
    """Where the losses went, whether they have come to rest, and what figures validation has now and had at best."""
    names = _losses(history)
    if not names:
        return "nothing trained"
    losses = _totals(history, names)
    said = [f"loss {losses[0]:.3g} to {losses[-1]:.3g}", course(losses)]
    for name in _figures(history):
        rows = [row for row in history if name in row]
        best = max(rows, key=lambda row: row[name])
        later = f", {best[name]:.3f} at step {best['step']:.0f}" if best[name] - rows[-1][name] > _FALLEN else ""
        said.append(f"{name} {rows[-1][name]:.3f}{later}")
    return ", ".join(said)


def _totals(history: History, names: list[str]) -> list[float]:
    """The sum of the losses, row by row; one that was not learnt from since the row before counts as it was."""
    last = {name: next(row[name] for row in history if name in row) for name in names}
    totals = []
    for row in history:
        last |= {name: row[name] for name in names if name in row}
        totals.append(sum(last.values()))
    return totals


def _losses(history: History) -> list[str]:
    names = dict.fromkeys(key for row in history for key in row)
    return [name for name in names if name not in ("step", _RATE) and not _is_figure(name)]


def _figures(history: History) -> list[str]:
    """What validation gave: its rows are fewer."""
    return [name for name in dict.fromkeys(key for row in history for key in row) if _is_figure(name)]


def _is_figure(name: str) -> bool:
    return name.endswith("_iou") or name.startswith("iou_") or name in ("iou", "auroc", "explained")


def _draw(axis: Axes, history: History, names: list[str]) -> None:
    for name in names:
        rows = [row for row in history if name in row]
        axis.plot([row["step"] for row in rows], [row[name] for row in rows], ".-", label=name.replace("_", " "))
    axis.set(xlabel="step")
    axis.grid(alpha=0.3, which="both")
    if names:
        axis.legend(fontsize="small")
