import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data import HIDDEN, MISSING, VISIBLE
from training.labels.coco import read_coco
from training.review.marked import Marked
from training.review.taught import proposals_bytes, taught
from training.teach.proposal import Proposal

WH = (320, 240)


def proposal(x: float, y: float, confidence: float = 0.9, *, visible: bool = True) -> Proposal:
    return Proposal("", np.array([x, y]), confidence, visible, "told")


def test_what_is_written_is_read_by_training(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((WH[1], WH[0]), np.uint8))
    found = [
        taught(tmp_path / "a.png", WH, [proposal(10.25, 20.0), proposal(100.0, 90.5, 0.2, visible=False)], 1),
        taught(tmp_path / "b.png", WH, [proposal(400.0, 20.0), proposal(np.nan, 3.0, 0.1)], 2),
        taught(tmp_path / "c.png", WH, [proposal(np.nan, np.nan), proposal(np.nan, 3.0, 0.1)], 3),
    ]
    (tmp_path / "coco.json").write_bytes(proposals_bytes(found, "plate", ["hole", "tip"], tmp_path))
    dataset = read_coco(tmp_path / "coco.json", tmp_path)
    assert (dataset.name, dataset.keypoints) == ("plate", ("hole", "tip"))
    first, second = dataset.parts  # the third was not found
    assert first.xy_sensor_px.tolist() == [[10.25, 20.0], [100.0, 90.5]]
    assert first.state.tolist() == [VISIBLE, HIDDEN]
    assert second.state.tolist() == [HIDDEN, MISSING]  # outside of the image; no place known
    assert json.loads((tmp_path / "coco.json").read_text())["annotations"][0]["confidence"] == [0.9, 0.2]


def test_a_part_is_as_sure_as_its_visible_points_and_less_where_they_are_few(tmp_path: Path) -> None:
    def sure(*proposals: Proposal) -> float:
        return taught(tmp_path / "a.png", WH, proposals, 1).sure

    hidden = proposal(5, 5, 0.1, visible=False)
    assert sure(proposal(1, 1, 0.8), proposal(9, 9, 0.6)) == pytest.approx(0.7)
    assert sure(proposal(1, 1, 0.8), hidden) == pytest.approx(0.8)
    assert sure(proposal(1, 1, 0.8), hidden, hidden, hidden) == pytest.approx(0.4)
    assert sure(hidden, hidden) == 0.0
    assert sure(proposal(1, 1, np.nan)) == 0.0


def test_a_marked_box_moves_with_the_points(tmp_path: Path) -> None:
    marked = Marked(("a", "b"), np.array([(50.0, 50.0), (100.0, 50.0)]), "plate", (40.5, 40.5, 70.0, 30.0))
    turned = [proposal(150.0, 50.0), proposal(150.0, 100.0)]  # by 90 degrees
    assert taught(tmp_path / "a.png", WH, turned, 1, marked).part.box == pytest.approx((130.5, 40.5, 30.0, 70.0))
    x, y, wide, high = taught(tmp_path / "a.png", WH, turned, 1).part.box
    assert x < 150 < x + wide
    assert y < 50
    assert y + high > 100


def test_one_point_has_a_box_with_room(tmp_path: Path) -> None:
    box = taught(tmp_path / "a.png", WH, [proposal(160.0, 120.0)], 1).part.box
    assert min(box[2:]) > 40
