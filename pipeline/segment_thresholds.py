"""What counts as a defect: calibrated for a view, in `VIEW/segment.toml` of a recipe."""

from pathlib import Path
from typing import Annotated

import msgspec

from pipeline import toml_file
from pipeline.errors import RecipeError

FILE_NAME = "segment.toml"
_Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class SegmentThresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of one view.

    Attributes:
        mask_above: a pixel of the mask belongs to a defect from this probability on.
        score_above: connected pixels with a smaller score are no defect.
        min_area_px: nor are those with a smaller area, sensor px².
        detection: for the reader: the share of defects that was asked to be found.
        examples: for the reader: how many calibration parts have a defect, and how many have none.
        missed: for the reader: limits of the share of parts with a defect in which none is found, at 95 % (exact,
            Clopper-Pearson).
        false_alarms: likewise of parts without a defect in which one is found.
    """

    mask_above: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.5
    score_above: _Share = 0.5
    min_area_px: Annotated[float, msgspec.Meta(ge=0.0, le=1e9)] = 0.0
    detection: _Share | None = None
    examples: tuple[_Count, _Count] | None = None
    missed: tuple[_Share, _Share] | None = None
    false_alarms: tuple[_Share, _Share] | None = None


def read_segment_thresholds(path: Path) -> SegmentThresholds:
    """Read a calibration, the defaults where there is none. Raises RecipeError."""
    return toml_file.read(path, SegmentThresholds, RecipeError) if path.exists() else SegmentThresholds()


def write_segment_thresholds(path: Path, thresholds: SegmentThresholds) -> None:
    """Write a calibration so that read_segment_thresholds gives it back."""
    lines = ["# Calibrated: rewritten by every calibration. missed and false_alarms: 95 % intervals on new data"]
    for key, value in msgspec.structs.asdict(thresholds).items():
        if value is not None:
            lines.append(f"{key} = {list(value) if isinstance(value, tuple) else value!r}")
    path.write_text("\n".join(lines) + "\n")
