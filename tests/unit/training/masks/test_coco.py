import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.errors import DataError
from training.masks.coco import read_coco_masks
from training.masks.sample import MaskedSet

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Four images of 12 x 10: a polygon, runs, compressed runs (with two parts), and a good part."""
    (tmp_path / "images").mkdir()
    for name in ("a", "b", "c", "d"):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), np.full((10, 12), 90, np.uint8))
    compressed = "k02k2"  # runs of 27, 2 and 91
    file = {
        "images": [
            {"id": number, "file_name": f"{name}.png", "width": 12, "height": 10} for number, name in enumerate("abcd")
        ],
        "categories": [
            {"id": 1, "name": "lid", "keypoints": ["left", "right"]},
            {"id": 2, "name": "scratch"},
            {"id": 3, "name": "dent"},
        ],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 2, "segmentation": [[2, 3, 6, 3, 6, 5, 2, 5]]},
            {"id": 2, "image_id": 1, "category_id": 3, "segmentation": {"size": [10, 12], "counts": [25, 3, 92]}},
            {"id": 3, "image_id": 1, "category_id": 2, "segmentation": [[8, 0, 12, 0, 12, 2, 8, 2]]},
            {"id": 4, "image_id": 2, "category_id": 3, "segmentation": {"size": [10, 12], "counts": compressed}},
            {"id": 5, "image_id": 2, "category_id": 1, "bbox": [0, 0, 6, 10], "keypoints": [1, 1, 2, 5, 1, 2]},
            {"id": 6, "image_id": 2, "category_id": 1, "bbox": [6, 0, 6, 10], "keypoints": [7, 1, 2, 9, 1, 2]},
        ],
    }
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(file))
    return path


def read(path: Path, change: Change = lambda _: None) -> MaskedSet:
    file = json.loads(path.read_text())
    change(file)
    path.write_text(json.dumps(file))
    return read_coco_masks(path, path.parent / "images")


def read_all(path: Path, change: Change) -> None:
    found = read(path, change)
    for index in range(len(found)):
        found.load(index)


def test_every_part_is_a_sample_and_images_without_a_defect_are_good(coco: Path) -> None:
    found = read(coco)
    assert found.names == ("a.png", "b.png", "c.png#0", "c.png#1", "d.png")
    assert found.kinds == ("scratch", "dent+scratch", "dent", "", "")  # that of c.png lies on its first part alone
    both = {"size": [10, 12], "counts": [45, 1, 29, 1, 44]}
    across = read(coco, lambda file: file["annotations"][3].update(segmentation=both))
    assert across.kinds == ("scratch", "dent+scratch", "dent", "dent", "")
    assert found.groups == ("a.png", "b.png", "c.png", "c.png", "d.png")
    assert found.regions(0) == (0, 0, 12, 10)
    assert found.regions(3) == (6, 0, 6, 10)


def test_a_part_has_its_keypoints_that_can_be_seen(coco: Path) -> None:
    def hide(file: dict[str, Any]) -> None:
        file["annotations"][4]["keypoints"][2] = 1

    found = read(coco, hide)
    assert found.images[2].keypoints == {"right": (4.5, 0.5)}  # as ours: 0 is the centre of the first px
    assert found.load(3).keypoints == {"left": (6.5, 0.5), "right": (8.5, 0.5)}
    assert found.images[0].keypoints == {}
    with pytest.raises(DataError, match="2 categories with keypoints"):
        read(coco, lambda file: file["categories"].append({"id": 9, "name": "other", "keypoints": ["left"]}))
    read(coco, lambda file: file["categories"].pop())
    with pytest.raises(DataError, match=r"keypoint names \['left', 'left'\]"):
        read(coco, lambda file: file["categories"][0].update(keypoints=["left", "left"]))
    read(coco, lambda file: file["categories"][0].update(keypoints=["left", "right"]))
    with pytest.raises(DataError, match=r"annotation 5 of c\.png: keypoints has 5 numbers"):
        read(coco, lambda file: file["annotations"][4]["keypoints"].pop())


def test_masks_are_drawn_from_polygons_runs_and_compressed_runs(coco: Path) -> None:
    found = read(coco)
    first = found.load(0).mask
    assert first.sum() == 8
    assert first[3:5, 2:6].all()
    second = found.load(1).mask
    assert second[5:8, 2].all()
    assert second[0:2, 8:12].all()
    assert second.sum() == 11
    third = found.load(2).mask
    assert np.argwhere(third).tolist() == [[7, 2], [8, 2]]
    assert not found.load(4).mask.any()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c["annotations"][0].update(image_id=9), "annotation 1: image_id 9 is not in images"),
        (lambda c: c["annotations"][0].update(category_id=9), "annotation 1 of a.png: category_id 9"),
        (
            lambda c: c["annotations"][0].pop("segmentation"),
            "annotation 1 of a.png: there is no segmentation; allowed: poly",
        ),
        (
            lambda c: c["annotations"][1]["segmentation"].update(size=[12, 10]),
            "annotation 2 of b.png: the segmentation's size",
        ),
        (lambda c: c["annotations"][4].pop("bbox"), "annotation 5 of c.png: there is no bbox"),
        (lambda c: c["annotations"][4].update(bbox=[0, 0, 0, 3]), "annotation 5 of c.png: bbox is"),
        (lambda c: c["images"][0].update(file_name="../a.png"), "image 0: names '../a.png'"),
        (lambda c: c["images"][0].update(file_name="gone.png"), "image 0: there is no file"),
        (lambda c: c["images"][0].update(id=1), "an image id is used twice"),
        (lambda c: c["categories"][0].update(id=2), "a category id is used twice"),
        (lambda c: c["annotations"][0].update(segmentation=7), "is not a COCO segmentation file: .*segmentation"),
        (lambda c: c["annotations"][0]["segmentation"][0].pop(), "a.png: annotation 1: a polygon of 7 numbers"),
        (lambda c: c["annotations"][1]["segmentation"]["counts"].pop(), "b.png: annotation 2: runs of 28 pixels"),
        (lambda c: c["annotations"][3]["segmentation"].update(counts="6 "), "c.png: annotation 4: compressed runs"),
    ],
)
def test_faults_name_the_image_and_the_annotation(coco: Path, change: Change, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_all(coco, change)


def test_an_image_of_another_size_than_the_file_says_is_named(coco: Path) -> None:
    cv2.imwrite(str(coco.parent / "images" / "a.png"), np.zeros((9, 12), np.uint8))
    with pytest.raises(DataError, match=r"a\.png: the mask is 12 x 10, the image 12 x 9"):
        read(coco).load(0)
