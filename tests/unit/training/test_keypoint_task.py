import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from training.canvas import prepare
from training.framing import Plain
from training.keypoint_task import KeypointTask
from training.labels.coco import read_coco
from training.method import load_method
from training.samples import ImageSamples

PARTS = np.arange(16)


def task(annotations: Path, method_file: Path, work: Path, validation: list[int]) -> KeypointTask:
    method = load_method(method_file)
    canvas = prepare(read_coco(annotations, annotations.parent / "images"), method.view, 1.0, work)
    framing = Plain(method.view.small_wh, method.view.large_wh)
    samples = ImageSamples(canvas, PARTS, method, framing, np.zeros((3, 2)), np.arange(3), stream=1, size=4)
    return KeypointTask("coarse", samples, np.array(validation))


def test_parts_that_show_nothing_cannot_validate(square_set: Path, square_method: Path, tmp_path: Path) -> None:
    labels = json.loads(square_set.read_text())
    for annotation in labels["annotations"][:4]:
        annotation["keypoints"][2::3] = [1, 1, 1]
        annotation["missing"] = []
    square_set.write_text(json.dumps(labels))
    with pytest.raises(DataError, match="no keypoint is visible in the 4 parts"):
        task(square_set, square_method, tmp_path, [0, 1, 2, 3])
    assert task(square_set, square_method, tmp_path, [3, 4]).validation.tolist() == [3, 4]
