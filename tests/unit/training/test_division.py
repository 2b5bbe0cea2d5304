from pathlib import Path

import msgspec
import numpy as np
import pytest

from pipeline.errors import DataError
from training.data import digest
from training.division import divide
from training.labels.coco import read_coco
from training.method import Method, RefineMethod, Split, load_method


@pytest.fixture
def method(square_method: Path) -> Method:
    method = load_method(square_method)
    return msgspec.structs.replace(method, split=Split(0.2, 0.2, near_duplicates=False))


def test_folds_hold_every_training_part_once(square_set: Path, method: Method) -> None:
    dataset = read_coco(square_set, square_set.parent / "images")
    parts, none = divide(dataset, method, None)
    assert none == []
    same, folds = divide(dataset, msgspec.structs.replace(method, refine=RefineMethod(1, folds=3)), None)
    assert np.array_equal(same.train, parts.train)
    assert sorted(np.concatenate(folds).tolist()) == parts.train.tolist()


def test_folds_that_leave_nothing_to_train_are_refused_at_once(square_set: Path, method: Method) -> None:
    dataset = read_coco(square_set, square_set.parent / "images")
    parts, _ = divide(dataset, method, None)
    one = type(parts)(parts.train[:1], parts.calibration, parts.validation)
    with pytest.raises(DataError, match="1 parts to train cannot be divided") as found:
        divide(dataset, msgspec.structs.replace(method, refine=RefineMethod(1, folds=2)), one)
    assert found.value.where == "refine.folds"


def test_the_digest_tells_labels_that_were_moved(square_set: Path) -> None:
    dataset = read_coco(square_set, square_set.parent / "images")
    before = digest(dataset, np.arange(5))
    assert before == digest(read_coco(square_set, square_set.parent / "images"), np.arange(5))
    assert before != digest(dataset, np.arange(1, 6))
    dataset.parts[4].xy_sensor_px[0, 0] += 0.25
    assert before != digest(dataset, np.arange(5))
