"""COCO keypoint files, read with refusals that name the image and the annotation."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from pipeline import plain_file
from pipeline.errors import DataError
from training.data import Dataset, Part
from training.labels.corners import part_from_corners

LARGEST_BYTES = 1 << 30


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
    bbox: tuple[float, float, float, float] | None = None
    keypoints: list[float] = []
    num_keypoints: int | None = None
    missing: list[str] = []


class CocoCategory(msgspec.Struct, frozen=True):
    """One entry of ``categories``."""

    id: int
    name: str
    keypoints: list[str] = []


class CocoFile(msgspec.Struct, frozen=True):
    """The parts of a COCO keypoint file that are used; other keys are ignored."""

    images: list[CocoImage]
    annotations: list[CocoAnnotation]
    categories: list[CocoCategory]


def read_coco(path: Path, images: Path) -> Dataset:
    """Read the keypoints of a COCO file; of several categories the only one that has keypoints.

    COCO counts from the corner of the image; half a pixel is subtracted, so that integers are pixel centres. A keypoint
    with v = 0, or named in the annotation's ``missing``, does not exist on this part; its position is used if given
    (0, 0 with v = 0 is none).

    Args:
        path: the JSON file.
        images: the folder that its ``file_name`` entries are relative to.

    Raises:
        DataError: names the image or annotation that is wrong and what is allowed.
    """
    coco = _decode(path)
    category = _category(coco, path)
    by_id = _images(coco, path, images)
    known = {entry.id for entry in coco.categories}
    parts: dict[int, Part] = {}
    for annotation in coco.annotations:
        where = f"{path}: annotation {annotation.id}"
        if annotation.image_id not in by_id:
            raise DataError(f"image_id {annotation.image_id} is not in images", where=where, allowed="an id of images")
        image = by_id[annotation.image_id]
        where = f"{where} of {image.file_name}"
        if annotation.category_id not in known:
            raise DataError(
                f"category_id {annotation.category_id} is not in categories", where=where, allowed=str(known)
            )
        if annotation.category_id != category.id:
            continue  # a box or an outline of something without keypoints
        if annotation.id in parts:
            raise DataError("this id is used twice", where=where, allowed="every id once")
        parts[annotation.id] = _part(annotation, image, images / image.file_name, category.keypoints, where)
    if not parts:
        raise DataError("no annotations", where=str(path), allowed="at least one part with keypoints")
    in_order = sorted(parts.values(), key=lambda part: (part.image, part.annotation))
    return Dataset(tuple(category.keypoints), tuple(in_order), category.name)


def _decode(path: Path) -> CocoFile:
    try:
        return msgspec.json.decode(plain_file.read(path, LARGEST_BYTES, DataError), type=CocoFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise DataError(
            f"is not a COCO keypoint file: {problem}",
            where=str(path),
            allowed="JSON with images, annotations (bbox, keypoints) and categories (keypoints)",
        ) from None


def _category(coco: CocoFile, path: Path) -> CocoCategory:
    if len({entry.id for entry in coco.categories}) != len(coco.categories):
        raise DataError("a category id is used twice", where=str(path), allowed="every id once")
    able = [entry for entry in coco.categories if entry.keypoints]
    if len(able) != 1:
        raise DataError(f"{len(able)} categories with keypoints", where=str(path), allowed="exactly one")
    names = able[0].keypoints
    if len(set(names)) != len(names) or not all(names):
        raise DataError(
            f"keypoint names {names}", where=f"{path}: category {able[0].name!r}", allowed="names, each different"
        )
    return able[0]


def _images(coco: CocoFile, path: Path, folder: Path) -> dict[int, CocoImage]:
    by_id: dict[int, CocoImage] = {}
    by_name: dict[PurePosixPath, int] = {}
    for image in coco.images:
        where = f"{path}: image {image.id} ({image.file_name})"
        if image.id in by_id:
            raise DataError("this id is used twice", where=where, allowed="every id once")
        first = by_name.setdefault(PurePosixPath(image.file_name), image.id)
        if first != image.id:
            raise DataError(f"is image {first} as well", where=where, allowed="every file once, with all of its parts")
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


def _part(annotation: CocoAnnotation, image: CocoImage, file: Path, names: list[str], where: str) -> Part:
    count = len(names)
    if len(annotation.keypoints) != 3 * count:
        raise DataError(
            f"{len(annotation.keypoints)} numbers in keypoints",
            where=where,
            allowed=f"{3 * count}: x, y, v for each of {count} keypoints",
        )
    if annotation.bbox is None:
        raise DataError("there is no bbox", where=where, allowed="[x, y, width, height]")
    unknown = set(annotation.missing) - set(names)
    if unknown:
        raise DataError(f"missing names {sorted(unknown)}", where=where, allowed=", ".join(names))
    table = np.array(annotation.keypoints, np.float64).reshape(count, 3)
    labelled = int((table[:, 2] > 0).sum())
    if annotation.num_keypoints not in (None, labelled):
        raise DataError(
            f"num_keypoints is {annotation.num_keypoints}",
            where=where,
            allowed=f"{labelled}, as many as have v above 0; or leave it out",
        )
    made = ~np.isin(names, annotation.missing)
    table[:, 2] *= made
    return part_from_corners(file, (image.width, image.height), names, table, annotation.bbox, annotation.id, where)
