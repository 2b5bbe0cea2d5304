"""What a killed run needs to go on: written beside, then renamed, so that there is always a whole one."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import DataError
from training.disk import writing

FORMAT = 1


@dataclass
class Checkpoint:
    """State of one network's training.

    Attributes:
        config: the method as plain values, keypoint names and seed: all that decides what is trained.
        step: steps done.
        history: one row of losses per report, for the curves.
        seconds: time spent training, over all runs.
    """

    config: dict[str, Any]
    step: int = 0
    model: dict[str, Any] = field(default_factory=dict)
    averaged: dict[str, Any] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write durably; a kill at any moment leaves the old file or the new one.

    Raises:
        DataError: it cannot be written; the old one is still there.
    """
    content = io.BytesIO()  # where torch finds no room it raises something else
    torch.save({"format": FORMAT, **vars(checkpoint)}, content)
    beside = path.with_suffix(".part")
    with writing(path, "make room, then the same command with --resume"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)


def load(path: Path, config: dict[str, Any]) -> Checkpoint:
    """Read a checkpoint of the same configuration.

    Raises:
        DataError: it is none, or it was made with another configuration; names the first difference.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content.pop("format") != FORMAT:
            raise KeyError("format")
        checkpoint = Checkpoint(**content)
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, AttributeError, ValueError) as problem:
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise DataError(
            f"is no checkpoint of this version ({reason[:80]})",
            where=str(path),
            next_command="the same command without --resume",
        ) from None
    for key in config.keys() | checkpoint.config.keys():
        if config.get(key) != checkpoint.config.get(key):
            raise DataError(
                f"was trained with {key} = {checkpoint.config.get(key)!r}, now it is {config.get(key)!r}",
                where=str(path),
                next_command="the same command without --resume, or the old method file",
            )
    return checkpoint
