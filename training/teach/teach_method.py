"""METHOD.toml of S5: how a keypoint language model is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pipeline import toml_file
from pipeline.errors import ConfigError
from training.method import Amount, Positive

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class TeachMethod(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """S5.

    Attributes:
        seeing: steps before all others in which vision learns alone: to find points again, and to tell their names and the part.
        speaking: steps after these in which the language model learns alone: to put names in words, and words in names.
        steps: of both together.
        side: px of an image; a multiple of 32.
        families, frames: that are rendered: drawn families, and images of each.
        held: of these families, kept out to watch the training.
        together, views: families in a step, and images of each.
        queries: questions to the language model in a step.
        lora_rank: of the modules that are trained in the language model.
        words: share of the questions that are asked in words.
        absent: share of the questions for something that the image does not have.
        described: share of the questions about the marked point of the image itself.
    """

    format: Literal[1]
    name: str
    steps: Positive
    seeing: Annotated[int, Meta(ge=0)] = 0
    speaking: Annotated[int, Meta(ge=0)] = 0
    side: Annotated[int, Meta(ge=64, le=512, multiple_of=32)] = 128
    families: Annotated[int, Meta(ge=4)] = 1000
    frames: Annotated[int, Meta(ge=2)] = 8
    held: Positive = 20
    together: Positive = 6
    views: Annotated[int, Meta(ge=2)] = 4
    queries: Positive = 72
    learning_rate: Amount = 2e-3
    weight_decay: Amount = 0.02
    lora_rank: Positive = 16
    words: Share = 0.33
    absent: Share = 0.08
    described: Share = 0.12
    seed: Annotated[int, Meta(ge=0)] = 0


def load_teach_method(path: Path) -> TeachMethod:
    """Read a METHOD.toml of S5. Raises ConfigError."""
    method = toml_file.read(path, TeachMethod, ConfigError)
    if method.families - method.held < method.together:
        raise ConfigError(
            f"{method.families} families, {method.held} held, leave fewer than are taken together",
            where=toml_file.at(path, "families"),
            allowed=f"{method.held + method.together} or more",
        )
    return method
