import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from training.labels.coco import read_coco
from training.splits import split


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
