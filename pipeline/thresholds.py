"""When a keypoint counts as visible: calibrated per keypoint, in `VIEW/visibility.toml` of a recipe."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from pipeline import toml_file
from pipeline.errors import RecipeError

FILE_NAME = "visibility.toml"
_Probability = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class Threshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Of one keypoint: visible from `visible_above` on, hidden below `hidden_below`, unsure between the two.

    Attributes:
        examples: for the reader: how many calibration parts show it, and how many do not. With few of the former its
            limits lean on those of all keypoints together; with few of the latter nothing is known of false accepts.
        false_reject: for the reader: limits of the share of visible ones below `visible_above`, at 95 % (exact, Clopper-Pearson).
        false_accept: likewise of those that cannot be seen but lie at or above `visible_above`.
    """

    visible_above: _Probability = 0.5
    hidden_below: _Probability = 0.5
    examples: tuple[_Count, _Count] | None = None
    false_reject: tuple[_Probability, _Probability] | None = None
    false_accept: tuple[_Probability, _Probability] | None = None

    def __post_init__(self) -> None:
        """Refuse limits that would make a keypoint visible and hidden at once."""
        if self.hidden_below > self.visible_above:
            raise ValueError(f"hidden_below {self.hidden_below} is above visible_above {self.visible_above}")


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one view.

    Attributes:
        temperature: logits are divided by it before the softmax (Guo et al. 2017, 1706.04599).
        keypoint: by name.
        false_reject: for the reader: the miss rate that was asked for.
    """

    temperature: Annotated[float, msgspec.Meta(gt=0.0)] = 1.0
    keypoint: dict[str, Threshold] = {}
    false_reject: _Probability | None = None

    def of(self, name: str) -> Threshold:
        """The limits of a keypoint; one half for those that were not calibrated."""
        return self.keypoint.get(name, Threshold())


def read_thresholds(path: Path, keypoints: Sequence[str]) -> Thresholds:
    """Read a calibration, the defaults where there is none. Raises RecipeError, also for unknown keypoints."""
    if not path.exists():
        return Thresholds()
    thresholds = toml_file.read(path, Thresholds, RecipeError)
    for name in thresholds.keypoint:
        if name not in keypoints:
            where = toml_file.at(path, "keypoint", name)
            raise RecipeError("the view has no such keypoint", where=where, allowed=", ".join(keypoints))
    return thresholds


def write_thresholds(path: Path, thresholds: Thresholds) -> None:
    """Write a calibration so that read_thresholds gives it back."""
    lines = ["# Calibrated: rewritten by every calibration.", f"temperature = {thresholds.temperature!r}"]
    if thresholds.false_reject is not None:
        lines.append(f"false_reject = {thresholds.false_reject!r}  # asked for; below: 95 % intervals on new data")
    for name, limits in thresholds.keypoint.items():
        lines += ["", f"[keypoint.{msgspec.json.encode(name).decode()}]"]
        lines += [f"visible_above = {limits.visible_above!r}", f"hidden_below = {limits.hidden_below!r}"]
        known = {"examples": limits.examples, "false_reject": limits.false_reject, "false_accept": limits.false_accept}
        lines += [f"{key} = {list(pair)}" for key, pair in known.items() if pair is not None]
    path.write_text("\n".join(lines) + "\n")
