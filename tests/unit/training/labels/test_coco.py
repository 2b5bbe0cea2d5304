import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import DataError
from training.data import HIDDEN, MISSING, VISIBLE
from training.labels.coco import read_coco

Change = Callable[[dict[str, Any]], object]


def read_changed(path: Path, change: Change) -> None:
    coco = json.loads(path.read_text())
    change(coco)
    path.write_text(json.dumps(coco))
    read_coco(path, path.parent / "images")


def test_positions_are_pixel_centres_and_states_follow_v_and_missing(square_set: Path) -> None:
    coco = json.loads(square_set.read_text())
    coco["annotations"][0]["keypoints"][3:6] = [10.0, 20.0, 1]
    coco["annotations"][0]["keypoints"][6:9] = [0, 0, 0]
    square_set.write_text(json.dumps(coco))
    part = read_coco(square_set, square_set.parent / "images").parts[0]
    assert part.state.tolist() == [VISIBLE, HIDDEN, MISSING]
    assert part.xy_sensor_px[1].tolist() == [9.5, 19.5]
    assert np.isnan(part.xy_sensor_px[2]).all()


def test_a_missing_feature_may_have_a_position(square_set: Path) -> None:
    part = read_coco(square_set, square_set.parent / "images").parts[2]
    assert part.state.tolist() == [VISIBLE, VISIBLE, MISSING]
    assert np.isfinite(part.xy_sensor_px).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda c: c["annotations"][1]["keypoints"].pop(),
            "annotation 2 of 001.png: 8 numbers in keypoints; allowed: 9",
        ),
        (lambda c: c["annotations"][1].update(image_id=99), "annotation 2: image_id 99"),
        (lambda c: c["annotations"][1].update(category_id=7), "annotation 2 of 001.png: category_id 7"),
        (lambda c: c["annotations"][1].update(bbox=[3, 4, 0, 9]), "annotation 2 of 001.png: bbox"),
        (lambda c: c["annotations"][1].update(missing=["lid"]), "annotation 2 of 001.png: missing names ['lid']"),
        (lambda c: c["annotations"][1]["keypoints"].__setitem__(2, 3), "annotation 2 of 001.png: v is"),
        (lambda c: c["annotations"][1]["keypoints"].__setitem__(0, 500.0), "upper_left is visible at [500.0"),
        (lambda c: c["images"][1].update(file_name="gone.png"), "image 2: there is no file"),
        (
            lambda c: c["images"][1].update(file_name="../images/001.png"),
            "image 2: names '../images/001.png'; allowed: a path",
        ),
        (lambda c: c["images"][1].update(file_name="/etc/passwd"), "image 2: names '/etc/passwd'; allowed: a path"),
        (lambda c: c["images"][1].update(file_name="x" * 5000), "image 2: names 'xxx"),
        (lambda c: c["images"][1].update(id=1), "image 1 (001.png): this id is used twice"),
        (lambda c: c["categories"].append(c["categories"][0]), "a category id is used twice"),
        (lambda c: c["categories"][0].update(keypoints=["a", "a", "b"]), "keypoint names ['a', 'a', 'b']"),
        (
            lambda c: c["categories"].append({**c["categories"][0], "id": 9}),
            "2 categories with keypoints; allowed: exactly one",
        ),
        (lambda c: c["categories"][0].update(keypoints=[]), "0 categories with keypoints"),
        (lambda c: c["annotations"].clear(), "no annotations"),
        (lambda c: c["annotations"][1].update(id=1, image_id=1), "annotation 1 of 000.png: this id is used twice"),
        (lambda c: c["images"][1].update(file_name="./000.png"), "image 2 (./000.png): is image 1 as well"),
        (
            lambda c: c["annotations"][1].update(num_keypoints=2),
            "annotation 2 of 001.png: num_keypoints is 2; allowed: 3",
        ),
        (
            lambda c: c["annotations"][1].update(bbox=[192, 0, 5, 5]),
            "annotation 2 of 001.png: bbox [192.0, 0.0, 5.0, 5.0] is out",
        ),
        (lambda c: c["annotations"][1].pop("bbox"), "annotation 2 of 001.png: there is no bbox"),
        (
            lambda c: c["annotations"][1].update(keypoints=[0] * 9),
            "annotation 2 of 001.png: no keypoint has a position",
        ),
        (lambda c: c.pop("images"), "is not a COCO keypoint file"),
    ],
)
def test_a_bad_file_is_refused_with_the_place(square_set: Path, change: Change, says: str) -> None:
    with pytest.raises(DataError) as refused:
        read_changed(square_set, change)
    assert says in str(refused.value)
    assert str(square_set) in str(refused.value)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xff\xd8")
    with pytest.raises(DataError, match="is not a COCO keypoint file"):
        read_coco(path, tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        read_coco(tmp_path / "none.json", tmp_path)


def test_json_nested_deeper_than_python_calls_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"x": ' + "[" * 100_000)
    with pytest.raises(DataError, match="is not a COCO keypoint file") as refused:
        read_coco(path, tmp_path)
    assert "\n" not in str(refused.value)


def test_what_has_no_keypoints_is_left_alone(square_set: Path) -> None:
    before = read_coco(square_set, square_set.parent / "images")
    coco = json.loads(square_set.read_text())
    coco["categories"].insert(0, {"id": 8, "name": "belt"})
    coco["annotations"][0]["segmentation"] = {"size": [160, 192], "counts": "abc"}
    coco["annotations"].append({"id": 1, "image_id": 1, "category_id": 8, "segmentation": [[1, 2, 3, 4, 5, 6]]})
    square_set.write_text(json.dumps(coco))
    after = read_coco(square_set, square_set.parent / "images")
    assert after.name == "square"
    assert [part.annotation for part in after.parts] == [part.annotation for part in before.parts]
