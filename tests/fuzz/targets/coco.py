"""COCO files, as `datumd seal`, `train` and `render` read them."""

from collections.abc import Hashable

import numpy as np

from pipeline.errors import DataError
from pipeline.sealing import image_files
from simulator.coco import is_rendered
from tests.fuzz import workspace
from tests.fuzz.mutation import vary_json
from tests.fuzz.target import Target, refused
from training.labels.coco import read_coco


def execute(data: bytes) -> Hashable:
    """Read it in all three ways; no image may lie outside of the file's folder."""
    folder = workspace.folder("coco")
    path = folder / "coco.json"
    path.write_bytes(data)
    for name in ("000.png", "001.png"):
        (folder / name).touch()
    found: list[Hashable] = [is_rendered(path)]
    try:
        images = image_files(path)
        assert all(image.resolve().is_relative_to(folder.resolve()) for image in images), images
        found.append(len(images))
    except DataError as error:
        found.append(refused(error))
    try:
        dataset = read_coco(path, folder)
        assert all(image.resolve().is_relative_to(folder.resolve()) for image in dataset.images), dataset.images
        assert all(np.isfinite(part.box).all() for part in dataset.parts)
        found.append((len(dataset.parts), len(dataset.keypoints)))
    except DataError as error:
        found.append(refused(error))
    return tuple(found)


TARGET = Target("coco", execute, vary_json)
