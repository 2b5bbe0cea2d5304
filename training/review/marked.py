"""The points of the first photograph: points.json as the page of `datumd mark` saves it, or a COCO file that has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from pipeline import plain_file
from pipeline.errors import DataError
from training.data import VISIBLE
from training.labels.coco import read_coco

LARGEST_BYTES = 1 << 30
FILE_NAME = "points.json"
MOST_POINTS = 200
Box = tuple[float, float, float, float]


class MarkedPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named point in px, pixel centres at integers."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    x: float
    y: float


class MarkedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """points.json. ``box`` is x, y, width, height of the part from the corner of the image."""

    points: Annotated[list[MarkedPoint], Meta(min_length=1, max_length=MOST_POINTS)]
    image: str = ""
    width: int = 0
    height: int = 0
    part: str = "part"
    box: Box | None = None


class _Keys(msgspec.Struct):
    annotations: msgspec.Raw = msgspec.Raw(b"")
    points: msgspec.Raw = msgspec.Raw(b"")


@dataclass(frozen=True, slots=True)
class Marked:
    """What was marked.

    Attributes:
        names: of the k points.
        xy_px: (k, 2) float64, pixel centres at integers.
        part: what the part is called.
        box: x, y, width, height of the part from the image's corner, if it was drawn.
    """

    names: tuple[str, ...]
    xy_px: NDArray[np.float64]
    part: str
    box: Box | None


def read_marked(path: Path, image: Path, wh: tuple[int, int]) -> Marked:
    """Read what was marked on a photograph.

    Args:
        path: points.json, or a COCO keypoint file with one part on the photograph, all of its keypoints visible.
        image: the photograph.
        wh: its width and height in px.

    Raises:
        DataError: neither of the two, marked on another photograph, or a point outside of it.
    """
    again = f"datumd mark {image}"
    content = plain_file.read(path, LARGEST_BYTES, DataError)
    try:
        keys = msgspec.json.decode(content, type=_Keys)
        if keys.annotations:
            return _from_coco(path, image)
        file = msgspec.json.decode(content, type=MarkedFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        what = f"does not hold marked points: {problem}"
        raise DataError(what, where=str(path), allowed="points.json, or COCO keypoints", next_command=again) from None
    names = tuple(point.name for point in file.points)
    if len(set(names)) != len(names):
        raise DataError(f"point names {list(names)}", where=str(path), allowed="each name once", next_command=again)
    if (file.width, file.height) not in ((0, 0), wh):
        what = f"was marked on {file.image or 'an image'} of {file.width} x {file.height} px"
        raise DataError(what, where=str(path), allowed=f"{wh[0]} x {wh[1]} as {image.name}", next_command=again)
    xy = np.array([(point.x, point.y) for point in file.points], np.float64)
    outside = (xy < -0.5).any(1) | (xy > np.array(wh) - 0.5).any(1)
    if outside.any():
        index = int(np.flatnonzero(outside)[0])
        raise DataError(
            f"{names[index]} is at {xy[index].tolist()}", where=str(path), allowed=f"within {wh[0]} x {wh[1]} px"
        )
    return Marked(names, xy, file.part or "part", _checked(file.box, wh, path))


def _checked(box: Box | None, wh: tuple[int, int], path: Path) -> Box | None:
    if box is None:
        return None
    x, y, wide, high = box
    if min(wide, high) < 1 or x < -1 or y < -1 or x + wide > wh[0] + 1 or y + high > wh[1] + 1:
        raise DataError(
            f"box is {list(box)}", where=str(path), allowed=f"x, y, width, height within {wh[0]} x {wh[1]} px"
        )
    return box


def _from_coco(path: Path, image: Path) -> Marked:
    dataset = read_coco(path, image.parent)
    parts = [part for part in dataset.parts if part.image.name == image.name]
    if len(parts) != 1:
        raise DataError(f"{len(parts)} parts on {image.name}", where=str(path), allowed="exactly one")
    seen = parts[0].state == VISIBLE
    if not seen.any():
        raise DataError(f"no keypoint is visible on {image.name}", where=str(path), allowed="at least one")
    names = tuple(name for name, is_seen in zip(dataset.keypoints, seen, strict=True) if is_seen)
    return Marked(names, parts[0].xy_sensor_px[seen], dataset.name, parts[0].box)
