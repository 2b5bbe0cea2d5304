"""Writes the truth of rendered parts as COCO: keypoints of the part, masks of its defects."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline import plain_file
from pipeline.errors import DataError
from simulator.defects.defect import Defect
from simulator.defects.mark import Kind
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


class RunLengths(msgspec.Struct):
    """A mask of the image: lengths of runs, the first of what is not in it, down the columns from the left."""

    counts: list[int]
    size: tuple[int, int]  # height, width


class DefectAnnotation(msgspec.Struct):
    """One defect; ``levels``, the grey levels that it changes the picture by, is ours: COCO readers ignore it."""

    id: int
    image_id: int
    category_id: int
    segmentation: RunLengths
    area: int
    bbox: tuple[int, int, int, int]
    iscrowd: int
    levels: float


class Category(msgspec.Struct):
    """The part family, or a kind of defect, which has no keypoints."""

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
    annotations: list[Annotation | DefectAnnotation]
    categories: list[Category]


class CocoWriter:
    """Collects frames of one family and writes them in the order of their index."""

    def __init__(self, family: str, keypoints: tuple[str, ...], description: str, *, has_defects: bool = False) -> None:
        """`description` is the command line, which begins with COMMAND; `has_defects` adds their categories."""
        self._keypoints = keypoints
        skeleton = [[index, index + 1] for index in range(1, len(keypoints))]
        self._file = CocoFile(
            info={"description": description, "coordinates": "corner of the top left pixel is 0, 0"},
            images=[],
            annotations=[],
            categories=[Category(1, family, "part", list(keypoints), skeleton)],
        )
        self._parts: list[Annotation] = []
        self._category = {kind: number for number, kind in enumerate(Kind, start=2)}
        self._defects: list[DefectAnnotation] = []
        if has_defects:
            self._file.categories += [Category(self._category[kind], kind, "defect", [], []) for kind in Kind]

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
        self._parts.append(
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
        self._defects += [self._defect(index + 1, defect, (height, width)) for defect in rendered.defects]

    def _defect(self, image_id: int, defect: Defect, shape: tuple[int, int]) -> DefectAnnotation:
        height, width = defect.mask.shape
        return DefectAnnotation(
            id=0,  # counted on from those of the parts when all are known
            image_id=image_id,
            category_id=self._category[defect.kind],
            segmentation=RunLengths(column_runs(defect.on(shape)), shape),
            area=defect.area_px,
            bbox=(*defect.at, width, height),  # a pixel's corner is at its own number: no half is to be added
            iscrowd=0,
            levels=round(defect.levels, 2),
        )

    def write(self, path: Path) -> None:
        """Write the file; frames may have been added in any order."""
        self._file.images.sort(key=lambda image: image.id)
        self._parts.sort(key=lambda annotation: annotation.id)
        self._defects.sort(key=lambda annotation: annotation.image_id)
        for number, defect in enumerate(self._defects, start=self._parts[-1].id + 1 if self._parts else 1):
            defect.id = number
        self._file.annotations = [*self._parts, *self._defects]
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self._file), indent=1))


def column_runs(mask: NDArray[np.bool_]) -> list[int]:
    """COCO's uncompressed run lengths of a mask (H, W): not in it, in it, not in it, … down the columns."""
    flat = np.concatenate([[False], mask.ravel(order="F")])
    starts = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(run) for run in np.diff([0, *starts, mask.size])]
