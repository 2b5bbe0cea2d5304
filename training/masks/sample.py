"""What a set of defects is: images, each with a mask, a kind, and the group that is never divided."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import plain_file
from pipeline.errors import DataError
from pipeline.geometry import Region
from pipeline.part_pose import Found

GOOD = ""  # the kind of a part without a defect
_LARGEST_BYTES = 1 << 30

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MaskedSample:
    """One image in memory.

    Attributes:
        name: of the image, different for each of a set.
        image: (h, w) uint8, grey.
        mask: (h, w) bool, true on a defect; all false on a good part.
        kind: of the defect; "" for a good part.
        group: images of one group never go to both sides of a split.
        keypoints: where those of the part lie that can be seen, sensor px.
    """

    name: str
    image: Image
    mask: Mask
    kind: str
    group: str
    keypoints: Found = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MaskedImage:
    """One image on the disk; the fields of `MaskedSample` by the same names.

    Attributes:
        file: the image.
        read_mask: gives the mask for an image of (h, w). Raises DataError.
        region: where the part is, in sensor px, corner convention; None for the whole image.
        part: where ``region`` is a tile, that of the part it belongs to.
    """

    name: str
    file: Path
    read_mask: Callable[[tuple[int, int]], Mask]
    kind: str
    group: str
    region: Region | None = None
    part: Region | None = None
    keypoints: Found = field(default_factory=dict)


class MaskedSet:
    """Images with masks, in a fixed order; they are read when they are asked for."""

    def __init__(self, images: Iterable[MaskedImage], where: str = "") -> None:
        """Of these images; ``where`` says in errors what was read.

        Raises:
            DataError: there is none, or two share a name.
        """
        self.images: tuple[MaskedImage, ...] = tuple(images)
        self.where = where
        self.names: tuple[str, ...] = tuple(image.name for image in self.images)
        self.kinds: tuple[str, ...] = tuple(image.kind for image in self.images)
        self.groups: tuple[str, ...] = tuple(image.group for image in self.images)
        if not self.images:
            raise DataError("no images", where=where, allowed="at least one image with a mask")
        if len(set(self.names)) != len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise DataError(f"two images are called {twice!r}", where=where, allowed="every name once")

    def __len__(self) -> int:
        return len(self.images)

    def load(self, index: int) -> MaskedSample:
        """Read one image and its mask.

        Raises:
            DataError: either cannot be read, or they differ in size.
        """
        one = self.images[index]
        image = read_image(one.file)
        height, width = image.shape
        mask = one.read_mask((height, width))
        if mask.shape != image.shape:
            raise DataError(
                f"the mask is {mask.shape[1]} x {mask.shape[0]}, the image {image.shape[1]} x {image.shape[0]}",
                where=f"{self.where}: {one.name}",
                allowed="a mask of the image's size",
            )
        return MaskedSample(one.name, image, mask, one.kind, one.group, one.keypoints)

    def regions(self, index: int) -> Region:
        """Where the part is on its image: what a recipe's locate stage would give. Without labels the whole image."""
        given = self.images[index].region
        if given is not None:
            return given
        height, width = read_image(self.images[index].file).shape
        return Region(0.0, 0.0, float(width), float(height))

    def chosen(self, indices: Iterable[int]) -> MaskedSet:
        """Some of the images, in the order given. Raises DataError for none."""
        return MaskedSet([self.images[int(index)] for index in indices], self.where)


def digest(images: MaskedSet) -> str:
    """16 hex digits that change with the names, kinds, groups, regions, keypoints or their order. Reads no image."""
    sha = hashlib.sha256()
    for one in images.images:
        keypoints = sorted(one.keypoints.items())
        sha.update(f"{one.name}\0{one.kind}\0{one.group}\0{one.region}\0{keypoints}\n".encode())
    return sha.hexdigest()[:16]


def joined(sets: Sequence[MaskedSet]) -> MaskedSet:
    """Several sets as one, in the order given; names and groups of each begin with its number, as names may be used in all."""
    if len(sets) == 1:
        return sets[0]
    images = [
        replace(image, name=f"{number}:{image.name}", group=f"{number}:{image.group}")
        for number, one in enumerate(sets)
        for image in one.images
    ]
    return MaskedSet(images, ", ".join(one.where for one in sets))


def read_image(file: Path) -> Image:
    """Grey levels (h, w) of an image file, without EXIF rotation.

    Raises:
        DataError: missing, or no image.
    """
    return _decoded(file, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)


def read_mask(file: Path) -> Mask:
    """(h, w) bool of a mask's file: true where any channel but transparency is not zero.

    Raises:
        DataError: missing, or no image.
    """
    levels = _decoded(file, cv2.IMREAD_UNCHANGED)
    return np.asarray(levels[..., :3].any(-1) if levels.ndim == 3 else levels != 0, np.bool_)


def _decoded(file: Path, flags: int) -> Image:
    content = plain_file.read(file, _LARGEST_BYTES, DataError)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:  # an empty file, or larger than the decoder allows
        image = None
    if image is None:
        raise DataError("cannot be decoded", where=str(file), allowed="png, jpg, bmp, tif")
    return np.asarray(image)
