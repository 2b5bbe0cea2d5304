"""Small labelled sets: a bright square with three named corners on a dark belt."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from pipeline.recipe_file import LocateSettings
from training.canvas import Canvas, prepare
from training.labels.coco import read_coco
from training.method import load_method

NAMES = ["upper_left", "upper_right", "lower_left"]


def write_set(folder: Path, count: int, *, seed: int = 0, wh: tuple[int, int] = (192, 160)) -> Path:
    """Write ``count`` images and annotations.json; the lower left corner is missing on every third part."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    coco: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "square", "keypoints": NAMES, "skeleton": []}],
    }
    for index in range(count):
        x, y = rng.integers(40, 80, 2).tolist()
        side = int(rng.integers(50, 70))
        image = rng.normal(60, 4, (wh[1], wh[0]))
        image[y : y + side, x : x + side] += 100
        missing = index % 3 == 2
        if missing:
            image[y + side - 25 : y + side, x : x + 25] -= 100
        name = f"{index:03d}.png"
        cv2.imwrite(str(folder / "images" / name), np.clip(image, 0, 255).astype(np.uint8))
        coco["images"].append({"id": index + 1, "file_name": name, "width": wh[0], "height": wh[1]})
        corners = [(x, y, 2), (x + side, y, 2), (x, y + side, 1 if missing else 2)]
        coco["annotations"].append(
            {
                "id": index + 1,
                "image_id": index + 1,
                "category_id": 1,
                "bbox": [x, y, side, side],
                "keypoints": [value for corner in corners for value in corner],
                "missing": NAMES[2:] if missing else [],
            }
        )
    path = folder / "annotations.json"
    path.write_text(json.dumps(coco))
    return path


METHOD = """
name = "square"
number = 3
seen_radius_px = 6.0
[view]
locate = { fixed = [0, 0, 192, 160] }
small_wh = [96, 80]
large_wh = [192, 160]
[split]
calibration = 0.2
validation = 0.2
[coarse]
steps = 12
batch = 4
backbone = "tiny"
compressed = 8
[refine]
steps = 12
frames = 4
size = "tiny"
patch = 16
spans_px = [48.0, 24.0]
"""


@pytest.fixture(scope="session")
def exporter() -> Iterator[None]:
    """torch's exporter reads the sources of its 500 operators anew for every file, a quarter of the time; here, once."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    registry = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", registry)
        yield


@pytest.fixture
def square_set(tmp_path: Path) -> Path:
    """The annotation file of 16 parts; images lie beside it in ``images``."""
    return write_set(tmp_path / "set", 16)


@pytest.fixture
def square_method(tmp_path: Path) -> Path:
    """A method file for `square_set` that trains in seconds."""
    path = tmp_path / "square.toml"
    path.write_text(METHOD)
    return path


@pytest.fixture
def canvases(square_set: Path, square_method: Path, tmp_path: Path) -> tuple[Canvas, Canvas]:
    """The parts of `square_set` in a region that ends close to them, alone and with bright surroundings."""
    x, y, wide, high = region = (30, 30, 132, 110)
    for path in (square_set.parent / "images").iterdir():
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        bright = np.full_like(image, 250)
        bright[y : y + high, x : x + wide] = image[y : y + high, x : x + wide]
        cv2.imwrite(str(path), bright)
    view = msgspec.structs.replace(load_method(square_method).view, locate=LocateSettings(fixed=region))
    dataset = read_coco(square_set, square_set.parent / "images")
    alone, around = (prepare(dataset, view, context, tmp_path / f"context-{context}") for context in (1.0, 1.5))
    return alone, around
