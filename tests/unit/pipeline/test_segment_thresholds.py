"""segment.toml: read, written, refused."""

from pathlib import Path

import pytest

from pipeline.errors import RecipeError
from pipeline.segment_thresholds import SegmentThresholds, read_segment_thresholds, write_segment_thresholds


@pytest.mark.parametrize(
    "thresholds",
    [
        SegmentThresholds(),
        SegmentThresholds(mask_above=0.4, score_above=0.125, min_area_px=30.0, detection=0.99),
        SegmentThresholds(examples=(40, 160), missed=(0.0, 0.09), false_alarms=(0.001, 0.05)),
    ],
)
def test_what_is_written_is_read(tmp_path: Path, thresholds: SegmentThresholds) -> None:
    path = tmp_path / "segment.toml"
    write_segment_thresholds(path, thresholds)
    assert read_segment_thresholds(path) == thresholds


def test_without_a_calibration_the_defaults_hold(tmp_path: Path) -> None:
    assert read_segment_thresholds(tmp_path / "segment.toml") == SegmentThresholds()


@pytest.mark.parametrize(
    "line", ["mask_above = 0.0", "mask_above = 1.0", "score_above = 2", "min_area_px = -1", "x = 1"]
)
def test_other_values_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "segment.toml"
    path.write_text(line)
    with pytest.raises(RecipeError, match=line.split(maxsplit=1)[0]):
        read_segment_thresholds(path)
