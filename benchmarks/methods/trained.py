"""Trains one method in the cache folder: goes on after a kill, shares the cut images, and counts CPU time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.methods.sets import locked
from benchmarks.methods.spent import Spent, minutes
from training.canvas import prepare
from training.curves import verdict
from training.data import Dataset
from training.method import Method
from training.splits import Splits
from training.train import Run, train

Say = Callable[[str], None]
_CANVAS = ("large.npy", "medium.npy", "canvas.key")
_WHOLE = "whole"


def trained(
    method: Method, whole: Dataset, parts: Splits, folder: Path, canvas: Path, say: Say, init: Path | None = None
) -> float:
    """Train into ``folder``/recipe, unless it is there.

    Args:
        method: what is trained.
        whole: all parts.
        parts: what each is for.
        folder: of this training alone; work/ is below it.
        canvas: folder of the cut images; other trainings on the same parts and view have it as well.
        say: receives one line at a time.
        init: weights to start from.

    Returns:
        minutes of CPU time of all threads, over all runs that it took. What a killed run did after its last line is lost.

    Raises:
        DatumdError: the data cannot be used, or the training failed.
    """
    recipe, work, done = folder / "recipe", folder / "work", folder / _WHOLE
    if done.exists():
        return minutes(folder)
    work.mkdir(parents=True, exist_ok=True)
    with locked(canvas.with_suffix(".lock")):
        prepare(whole, method.view, method.context, canvas)
    for name in _CANVAS:  # the training looks for its cut images in its work folder, and finds these
        link = work / name
        if not link.is_symlink():
            link.symlink_to(canvas.resolve() / name)
    spent = Spent(folder)

    def told(line: str) -> None:
        spent.keep()
        say(line)

    train(Run(method, whole, recipe, work, resume=True, report=told, parts=parts, init=init))
    told("trained")
    done.touch()
    return minutes(folder)


def verdicts(folder: Path) -> dict[str, str]:
    """Of each network of a training, whether its loss has come to rest."""
    found = {}
    for path in sorted((folder / "work").glob("*.checkpoint")):
        found[path.stem] = verdict(torch.load(path, map_location="cpu", weights_only=True)["history"])
    return found
