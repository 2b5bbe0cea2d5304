from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data import VISIBLE, Part
from training.evaluate import Case
from training.worst_cases import contact_sheet

RED, GREEN = (60, 60, 255), (80, 220, 80)
CLOSE = 480  # the close-up begins at this column of a tile


def case(folder: Path, off_px: float) -> Case:
    cv2.imwrite(str(folder / "a.png"), np.full((600, 800), 30, np.uint8))
    xy = np.array([[100.0, 100.0], [300.0, 300.0]])
    part = Part(folder / "a.png", (800, 600), xy, np.full(2, VISIBLE, np.int8), (80.0, 80.0, 240.0, 240.0), 1)
    found = xy + np.array([[0.0, 0.0], [off_px, -off_px / 2]])
    return Case(part, xy, found, np.hypot(*(found - xy).T), np.ones(2, np.bool_))


@pytest.mark.parametrize("off_px", [3.0, 60.0, 240.0, 450.0])
def test_a_close_up_shows_truth_and_what_was_found_however_far_apart(tmp_path: Path, off_px: float) -> None:
    contact_sheet([case(tmp_path, off_px)], ["a", "b"], tmp_path / "worst.png")
    sheet = cv2.imread(str(tmp_path / "worst.png"))
    assert sheet is not None
    close = sheet[20:360, CLOSE : CLOSE + 360]
    for colour in (RED, GREEN):
        assert (np.abs(close.astype(int) - colour) < 12).all(axis=2).any(), colour


def test_a_keypoint_without_a_place_is_shown_by_its_truth(tmp_path: Path) -> None:
    failed = case(tmp_path, np.nan)
    contact_sheet([failed], ["a", "b"], tmp_path / "worst.png")
    assert (tmp_path / "worst.png").stat().st_size > 1000
