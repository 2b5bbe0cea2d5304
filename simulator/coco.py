"""Writes the truth of rendered parts as COCO keypoints."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from pipeline import plain_file
from pipeline.errors import DataError
from simulator.render import Rendered
from simulator.truth import State

LARGEST_BYTES = 1 << 30
COMMAND = "datumd render"  # begins the description of every set
_CORNER = 0.5  # COCO counts from the corner of the top left pixel, our truth from its centre


class Image(msgspec.Struct):
    """One image; ``seed`` and ``attributes`` are ours: COCO readers ignore them."""

    id: int
    file_name: str
    width: int
    height: int
    seed: int
    attributes: dict[str, float]


class Annotation(msgspec.Struct):
    """One part. Keypoints are x, y, v with v 2 visible and 1 hidden; ``missing`` names those not made (v is 1, too)."""

    id: int
    image_id: int
    category_id: int
    keypoints: list[float]
    num_keypoints: int
    bbox: list[float]
    area: float
    iscrowd: int
    missing: list[str]


class Category(msgspec.Struct):
    """The part family."""

    id: int
    name: str
    supercategory: str
    keypoints: list[str]
    skeleton: list[list[int]]


class _Said(msgspec.Struct):
    info: dict[str, object] = {}


def is_rendered(path: Path) -> bool:
    """Whether the file at `path` is there, can be read and says that `datumd render` wrote it."""
    try:
        said = msgspec.json.decode(plain_file.read(path, LARGEST_BYTES, DataError), type=_Said)
    except (DataError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return str(said.info.get("description", "")).startswith(f"{COMMAND} ")


class CocoFile(msgspec.Struct):
    """The whole file."""

    info: dict[str, str]
    images: list[Image]
    annotations: list[Annotation]
    categories: list[Category]


class CocoWriter:
    """Collects frames of one family and writes them in the order of their index."""

    def __init__(self, family: str, keypoints: tuple[str, ...], description: str) -> None:
        """`description` is the command line, which begins with COMMAND."""
        self._keypoints = keypoints
        skeleton = [[index, index + 1] for index in range(1, len(keypoints))]
        self._file = CocoFile(
            info={"description": description, "coordinates": "corner of the top left pixel is 0, 0"},
            images=[],
            annotations=[],
            categories=[Category(1, family, "part", list(keypoints), skeleton)],
        )

    def add(self, index: int, file_name: str, seed: int, rendered: Rendered) -> None:
        """Add one frame; ``index`` counts from 0, ids from 1."""
        height, width = rendered.image.shape
        self._file.images.append(Image(index + 1, file_name, width, height, seed, rendered.attributes))
        x, y, w, h = rendered.box_xywh_sensor_px
        flat = [
            value
            for (px, py), state in zip(rendered.xy_sensor_px.tolist(), rendered.state.tolist(), strict=True)
            for value in (round(px + _CORNER, 4), round(py + _CORNER, 4), 2 if state == State.VISIBLE else 1)
        ]
        self._file.annotations.append(
            Annotation(
                id=index + 1,
                image_id=index + 1,
                category_id=1,
                keypoints=flat,
                num_keypoints=len(self._keypoints),
                bbox=[round(value, 4) for value in (x + _CORNER, y + _CORNER, w, h)],
                area=round(w * h, 2),
                iscrowd=0,
                missing=[self._keypoints[k] for k in np.flatnonzero(rendered.state == State.MISSING)],
            )
        )

    def write(self, path: Path) -> None:
        """Write the file; frames may have been added in any order."""
        self._file.images.sort(key=lambda image: image.id)
        self._file.annotations.sort(key=lambda annotation: annotation.id)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self._file), indent=1))
