"""COCO keypoint files, read with refusals that name the image and the annotation."""

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

LARGEST_BYTES = 1 << 30
VISIBLE, HIDDEN, MISSING = 2, 1, 0


class CocoImage(msgspec.Struct, frozen=True):
    """One entry of ``images``."""

    id: int
    file_name: str
    width: Annotated[int, Meta(ge=1)]
    height: Annotated[int, Meta(ge=1)]


class CocoAnnotation(msgspec.Struct, frozen=True):
    """One entry of ``annotations``: x, y from the image's corner and v for each keypoint.

    ``missing`` is an extension of the renderer: names of keypoints whose feature was not made.
    """

    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    keypoints: list[float]
    missing: list[str] = []


class CocoCategory(msgspec.Struct, frozen=True):
    """One entry of ``categories``."""

    id: int
    name: str
    keypoints: list[str]


class CocoFile(msgspec.Struct, frozen=True):
    """The parts of a COCO keypoint file that are used; other keys are ignored."""

    images: list[CocoImage]
    annotations: list[CocoAnnotation]
    categories: list[CocoCategory]


@dataclass(frozen=True, slots=True)
class Part:
    """One annotated part.

    Attributes:
        image: path of the image.
        image_wh: its size in px.
        xy_sensor_px: (K, 2) float64, pixel centres at integers; NaN where the file gives no position.
        state: (K,) int8, 2 visible, 1 hidden, 0 missing.
        box: x, y, width, height in sensor px, corner convention.
        annotation: id in the file.
    """

    image: Path
    image_wh: tuple[int, int]
    xy_sensor_px: NDArray[np.float64]
    state: NDArray[np.int8]
    box: tuple[float, float, float, float]
    annotation: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """The keypoint names and all parts, ordered by image then annotation."""

    keypoints: tuple[str, ...]
    parts: tuple[Part, ...]

    @property
    def images(self) -> tuple[Path, ...]:
        """Every image that has a part, once, in order."""
        return tuple(dict.fromkeys(part.image for part in self.parts))


def read_coco(path: Path, images: Path) -> Dataset:
    """Read a COCO keypoint file of one category.

    COCO counts from the corner of the image; half a pixel is subtracted, so that integers are pixel centres. A keypoint
    with v = 0, or named in the annotation's ``missing``, does not exist on this part; its position is used if given.

    Args:
        path: the JSON file.
        images: the folder that its ``file_name`` entries are relative to.

    Raises:
        DataError: names the image or annotation that is wrong and what is allowed.
    """
    coco = _decode(path)
    keypoints = _keypoints(coco, path)
    by_id = _images(coco, path, images)
    parts = []
    for annotation in coco.annotations:
        where = f"{path}: annotation {annotation.id}"
        if annotation.image_id not in by_id:
            raise DataError(f"image_id {annotation.image_id} is not in images", where=where, allowed="an id of images")
        if annotation.category_id != coco.categories[0].id:
            raise DataError(
                f"category_id {annotation.category_id} is not in categories",
                where=where,
                allowed=str(coco.categories[0].id),
            )
        image = by_id[annotation.image_id]
        parts.append(_part(annotation, image, images / image.file_name, keypoints, where))
    if not parts:
        raise DataError("no annotations", where=str(path), allowed="at least one part with keypoints")
    parts.sort(key=lambda part: (part.image, part.annotation))
    return Dataset(keypoints, tuple(parts))


def _decode(path: Path) -> CocoFile:
    try:
        return msgspec.json.decode(plain_file.read(path, LARGEST_BYTES, DataError), type=CocoFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise DataError(
            f"is not a COCO keypoint file: {problem}",
            where=str(path),
            allowed="JSON with images, annotations (bbox, keypoints) and categories (keypoints)",
        ) from None


def _keypoints(coco: CocoFile, path: Path) -> tuple[str, ...]:
    if len(coco.categories) != 1:
        raise DataError(f"{len(coco.categories)} categories", where=str(path), allowed="exactly one")
    names = coco.categories[0].keypoints
    if not names or len(set(names)) != len(names) or not all(names):
        raise DataError(
            f"keypoint names {names}",
            where=f"{path}: category {coco.categories[0].name!r}",
            allowed="at least one name, each different",
        )
    return tuple(names)


def _images(coco: CocoFile, path: Path, folder: Path) -> dict[int, CocoImage]:
    by_id: dict[int, CocoImage] = {}
    for image in coco.images:
        where = f"{path}: image {image.id} ({image.file_name})"
        if image.id in by_id:
            raise DataError("this id is used twice", where=where, allowed="every id once")
        by_id[image.id] = image
    for image_id in {annotation.image_id for annotation in coco.annotations} & by_id.keys():
        image = by_id[image_id]
        if not plain_file.below(folder, image.file_name, DataError, where=f"{path}: image {image.id}").is_file():
            raise DataError(
                f"there is no file {folder / image.file_name}",
                where=f"{path}: image {image.id}",
                allowed="file_name relative to the folder given by --images",
            )
    return by_id


def _part(annotation: CocoAnnotation, image: CocoImage, file: Path, names: tuple[str, ...], where: str) -> Part:
    count = len(names)
    if len(annotation.keypoints) != 3 * count:
        raise DataError(
            f"{len(annotation.keypoints)} numbers in keypoints",
            where=where,
            allowed=f"{3 * count}: x, y, v for each of {count} keypoints",
        )
    table = np.array(annotation.keypoints, np.float64).reshape(count, 3)
    if not np.isfinite(table).all() or not np.isfinite(annotation.bbox).all():
        raise DataError("a number is not finite", where=where, allowed="finite numbers")
    if not np.isin(table[:, 2], (MISSING, HIDDEN, VISIBLE)).all():
        raise DataError(f"v is {sorted(set(table[:, 2]))}", where=where, allowed="0 missing, 1 hidden, 2 visible")
    x, y, width, height = annotation.bbox
    if width <= 0 or height <= 0:
        raise DataError(f"bbox {list(annotation.bbox)} is empty", where=where, allowed="width and height above 0")
    unknown = set(annotation.missing) - set(names)
    if unknown:
        raise DataError(f"missing names {sorted(unknown)}", where=where, allowed=", ".join(names))
    state = table[:, 2].astype(np.int8)
    state[[names.index(name) for name in annotation.missing]] = MISSING
    xy = table[:, :2] - 0.5
    outside = (xy < -0.5).any(1) | (xy[:, 0] > image.width - 0.5) | (xy[:, 1] > image.height - 0.5)
    if (outside & (state == VISIBLE)).any():
        index = int(np.flatnonzero(outside & (state == VISIBLE))[0])
        raise DataError(
            f"keypoint {names[index]} is visible at {table[index, :2].tolist()}, outside the image",
            where=where,
            allowed=f"0..{image.width}, 0..{image.height}",
        )
    xy[(state == MISSING) & (table[:, :2] == 0).all(1)] = np.nan
    return Part(file, (image.width, image.height), xy, state, (x, y, width, height), annotation.id)


@dataclass(frozen=True, slots=True)
class Splits:
    """Parts for training, for calibration and for choosing, as indices into ``Dataset.parts``."""

    train: NDArray[np.int64]
    calibration: NDArray[np.int64]
    validation: NDArray[np.int64]


def split(dataset: Dataset, *, calibration: float, validation: float, seed: int) -> Splits:
    """Divide by image (parts of an image stay together); the same seed and images give the same split.

    Raises:
        DataError: too few images for three parts.
    """
    images = dataset.images
    counts = [max(1, round(share * len(images))) for share in (calibration, validation)]
    if len(images) < sum(counts) + 1:
        raise DataError(f"{len(images)} images", where="--coco", allowed="at least 3 with parts")
    order = np.random.default_rng(seed).permutation(len(images))
    group = np.zeros(len(images), np.int64)
    group[order[: counts[0]]] = 1
    group[order[counts[0] : sum(counts)]] = 2
    index = {image: number for number, image in enumerate(images)}
    groups = group[[index[part.image] for part in dataset.parts]]
    train, first, second = (np.flatnonzero(groups == g) for g in (0, 1, 2))
    return Splits(train, first, second)
