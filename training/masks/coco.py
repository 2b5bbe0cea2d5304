"""COCO segmentation files: every annotation without keypoints is a defect, one with keypoints says where the part is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from pipeline import plain_file
from pipeline.errors import DataError
from pipeline.geometry import Region
from pipeline.part_pose import Found
from training.labels.coco import LARGEST_BYTES, CocoImage
from training.labels.corners import CORNER
from training.masks.outline import polygon_mask, run_lengths, run_mask
from training.masks.sample import GOOD, Mask, MaskedImage, MaskedSet

_VISIBLE = 2  # COCO's: 1 is labelled and hidden, 0 not labelled
_ALLOWED = 'polygons [[x, y, …], …], or {"size": [height, width], "counts": […] or "…"}'


class Runs(msgspec.Struct, frozen=True):
    """A mask as lengths of runs; as text they are compressed."""

    size: tuple[int, int]
    counts: list[int] | str


class DefectAnnotation(msgspec.Struct, frozen=True):
    """One entry of ``annotations``."""

    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float] | None = None
    keypoints: list[float] = []
    segmentation: list[list[float]] | Runs | None = None


class Category(msgspec.Struct, frozen=True):
    """One entry of ``categories``; with keypoints it is the part."""

    id: int
    name: str
    keypoints: list[str] = []


class SegmentationFile(msgspec.Struct, frozen=True):
    """What is used of a COCO file; other keys are ignored."""

    images: list[CocoImage]
    annotations: list[DefectAnnotation]
    categories: list[Category]


def read_coco_masks(path: Path, images: Path) -> MaskedSet:
    """Read the defects of a COCO file: polygons, or runs, compressed or not.

    An image without a defect shows a good part. Where a category has keypoints, its annotations are the parts: each is a sample
    of its own, with its ``bbox`` as region and the keypoints that can be seen, and defects of all the image in its mask.
    Images without one count as a whole. The kinds of an image's defects, sorted, joined by "+", are its kind. Where it shows
    several parts, those of the defects that reach into a part's region are the part's. Every file is a group.

    Args:
        path: the JSON file.
        images: the folder that its ``file_name`` entries are relative to.

    Raises:
        DataError: names the image or annotation that is wrong and what is allowed. Where an image shows one part, masks are
            drawn when they are loaded, so that some faults show only then.
    """
    coco = _decode(path)
    return MaskedSet(_Reader(coco, path, images).read(), str(path))


def _decode(path: Path) -> SegmentationFile:
    try:
        return msgspec.json.decode(plain_file.read(path, LARGEST_BYTES, DataError), type=SegmentationFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise DataError(
            f"is not a COCO segmentation file: {problem}",
            where=str(path),
            allowed="JSON with images, annotations (segmentation) and categories",
        ) from None


class _Reader:
    """One file, with what belongs together looked up."""

    def __init__(self, coco: SegmentationFile, path: Path, folder: Path) -> None:
        self.path, self.folder = path, folder
        self.categories = {category.id: category for category in coco.categories}
        if len(self.categories) != len(coco.categories):
            raise DataError("a category id is used twice", where=str(path), allowed="every id once")
        parts = [category for category in coco.categories if category.keypoints]
        if len(parts) > 1:
            raise DataError(
                f"{len(parts)} categories with keypoints", where=str(path), allowed="one, the parts, or none"
            )
        for names in (category.keypoints for category in parts):
            if len(set(names)) != len(names):
                raise DataError(f"keypoint names {names}", where=str(path), allowed="names, each different")
        self.images = {image.id: image for image in coco.images}
        if len(self.images) != len(coco.images):
            raise DataError("an image id is used twice", where=str(path), allowed="every id once")
        self.defects: dict[int, list[DefectAnnotation]] = {image: [] for image in self.images}
        self.parts: dict[int, list[DefectAnnotation]] = {image: [] for image in self.images}
        for annotation in coco.annotations:
            self._sort(annotation)

    def read(self) -> Iterator[MaskedImage]:
        """Every part of every image, in the order of the images' names."""
        for image in sorted(self.images.values(), key=lambda image: image.file_name):
            file = plain_file.below(self.folder, image.file_name, DataError, where=f"{self.path}: image {image.id}")
            if not file.is_file():
                raise DataError(
                    f"there is no file {file}",
                    where=f"{self.path}: image {image.id}",
                    allowed="file_name relative to the folder given by --images",
                )
            defects = tuple(self.defects[image.id])
            hw, where = (image.height, image.width), f"{self.path}: {image.file_name}"
            drawn = partial(_drawn, defects, hw, where)
            whole = MaskedImage(image.file_name, file, drawn, self._kind(defects), image.file_name)
            parts = [
                replace(whole, region=self._region(part, image), keypoints=self._keypoints(part, image))
                for part in self.parts[image.id]
            ]
            if len(parts) < 2:
                yield from parts or [whole]
                continue
            masks = [_drawn((defect,), hw, where, hw) for defect in defects]
            for number, part in enumerate(parts):
                own = [defect for defect, mask in zip(defects, masks, strict=True) if _reaches_into(mask, part.region)]
                yield replace(part, name=f"{image.file_name}#{number}", kind=self._kind(own))

    def _keypoints(self, part: DefectAnnotation, image: CocoImage) -> Found:
        """Those that can be seen, sensor px."""
        names, given = self.categories[part.category_id].keypoints, part.keypoints
        if given and len(given) != 3 * len(names):
            raise DataError(
                f"keypoints has {len(given)} numbers",
                where=f"{self.path}: annotation {part.id} of {image.file_name}",
                allowed=f"{3 * len(names)}: x, y and 0, 1 or 2 for each of {', '.join(names)}",
            )
        places = zip(names, given[0::3], given[1::3], given[2::3], strict=False)  # there may be none
        return {name: (x - CORNER, y - CORNER) for name, x, y, seen in places if seen == _VISIBLE}

    def _kind(self, defects: Iterable[DefectAnnotation]) -> str:
        return "+".join(sorted({self.categories[defect.category_id].name for defect in defects})) or GOOD

    def _sort(self, annotation: DefectAnnotation) -> None:
        where = f"{self.path}: annotation {annotation.id}"
        image = self.images.get(annotation.image_id)
        if image is None:
            raise DataError(f"image_id {annotation.image_id} is not in images", where=where, allowed="an id of images")
        category = self.categories.get(annotation.category_id)
        where = f"{where} of {image.file_name}"
        if category is None:
            raise DataError(
                f"category_id {annotation.category_id} is not in categories",
                where=where,
                allowed=", ".join(map(str, self.categories)),
            )
        if category.keypoints:
            self.parts[image.id].append(annotation)
        elif not annotation.segmentation:
            raise DataError("there is no segmentation", where=where, allowed=_ALLOWED)
        elif isinstance(annotation.segmentation, Runs) and annotation.segmentation.size != (image.height, image.width):
            raise DataError(
                f"the segmentation's size is {list(annotation.segmentation.size)}",
                where=where,
                allowed=f"[{image.height}, {image.width}], the image's height and width",
            )
        else:
            self.defects[image.id].append(annotation)

    def _region(self, part: DefectAnnotation, image: CocoImage) -> Region:
        if part.bbox is None or part.bbox[2] <= 0 or part.bbox[3] <= 0:
            raise DataError(
                "there is no bbox" if part.bbox is None else f"bbox is {list(part.bbox)}",
                where=f"{self.path}: annotation {part.id} of {image.file_name}",
                allowed="[x, y, width, height] of the part",
            )
        return Region(*part.bbox)


def _reaches_into(mask: Mask, region: Region | None) -> bool:
    """Whether the centre of a px of a mask lies in a region, None for all the image."""
    if region is None:
        return bool(mask.any())
    rows, columns = np.nonzero(mask)
    x, y = columns + 0.5 - region.x, rows + 0.5 - region.y
    return bool(((x >= 0) & (x < region.w) & (y >= 0) & (y < region.h)).any())


def _drawn(defects: tuple[DefectAnnotation, ...], hw: tuple[int, int], where: str, _: tuple[int, int]) -> Mask:
    """All defects of an image of height and width ``hw``."""
    mask = np.zeros(hw, np.bool_)
    for defect in defects:
        shape = defect.segmentation
        try:
            if isinstance(shape, Runs):
                counts = run_lengths(shape.counts) if isinstance(shape.counts, str) else shape.counts
                mask |= run_mask(counts, hw)
            else:
                mask |= polygon_mask(shape or [], hw)
        except ValueError as problem:
            raise DataError(str(problem), where=f"{where}: annotation {defect.id}", allowed=_ALLOWED) from None
    return mask
