import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import DataError
from training.data import HIDDEN, MISSING, VISIBLE, read_coco, split

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
        (lambda c: c["annotations"][1]["keypoints"].pop(), "annotation 2: 8 numbers in keypoints; allowed: 9"),
        (lambda c: c["annotations"][1].update(image_id=99), "annotation 2: image_id 99"),
        (lambda c: c["annotations"][1].update(category_id=7), "annotation 2: category_id 7"),
        (lambda c: c["annotations"][1].update(bbox=[3, 4, 0, 9]), "annotation 2: bbox"),
        (lambda c: c["annotations"][1].update(missing=["lid"]), "annotation 2: missing names ['lid']"),
        (lambda c: c["annotations"][1]["keypoints"].__setitem__(2, 3), "annotation 2: v is"),
        (lambda c: c["annotations"][1]["keypoints"].__setitem__(0, 500.0), "upper_left is visible at [500.0"),
        (lambda c: c["images"][1].update(file_name="gone.png"), "image 2: there is no file"),
        (
            lambda c: c["images"][1].update(file_name="../images/001.png"),
            "image 2: names '../images/001.png'; allowed: a path",
        ),
        (lambda c: c["images"][1].update(file_name="/etc/passwd"), "image 2: names '/etc/passwd'; allowed: a path"),
        (lambda c: c["images"][1].update(file_name="x" * 5000), "image 2: names 'xxx"),
        (lambda c: c["images"][1].update(id=1), "image 1 (001.png): this id is used twice"),
        (lambda c: c["categories"].append(c["categories"][0]), "2 categories; allowed: exactly one"),
        (lambda c: c["categories"][0].update(keypoints=["a", "a", "b"]), "keypoint names ['a', 'a', 'b']"),
        (lambda c: c["annotations"].clear(), "no annotations"),
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


def test_a_split_keeps_the_parts_of_an_image_together(square_set: Path) -> None:
    coco = json.loads(square_set.read_text())
    for annotation in coco["annotations"]:
        annotation["image_id"] = (annotation["image_id"] + 1) // 2
    square_set.write_text(json.dumps(coco))
    dataset = read_coco(square_set, square_set.parent / "images")
    parts = split(dataset, calibration=0.25, validation=0.25, seed=3)
    groups = [{dataset.parts[i].image for i in group} for group in (parts.train, parts.calibration, parts.validation)]
    assert [len(group) for group in groups] == [4, 2, 2]
    assert not (groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2])
    again = split(dataset, calibration=0.25, validation=0.25, seed=3)
    assert np.array_equal(parts.train, again.train)


def test_too_few_images_to_split(square_set: Path) -> None:
    coco = json.loads(square_set.read_text())
    coco["annotations"] = coco["annotations"][:2]
    square_set.write_text(json.dumps(coco))
    dataset = read_coco(square_set, square_set.parent / "images")
    with pytest.raises(DataError, match="2 images"):
        split(dataset, calibration=0.1, validation=0.1, seed=0)
