"""Folders of images, each with its mask beside it: NAME.jpg and NAME.mask.png, sub-folders are kinds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.errors import DataError
from training.masks.sample import GOOD, Mask, MaskedImage, MaskedSet, read_mask

MASK = ".mask.png"
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
GOOD_FOLDER = "good"  # its images need no masks


def read_mask_folder(path: Path) -> MaskedSet:
    """Read a folder of images and masks.

    What is not 0 in NAME.mask.png is a defect of NAME.jpg (or .png, .bmp, .tif). Sub-folders, however deep, give the kind
    of the defect; an image whose mask is empty shows a good part, whatever its folder is called. Images in a folder
    called ``good`` need no masks. Every image is a group of its own: see `training.masks.grouping`.

    Raises:
        DataError: names the image or the mask that is wrong, and what is allowed.
    """
    if not path.is_dir():
        raise DataError("is no folder", where=str(path), allowed="a folder of images, each with its NAME.mask.png")
    return MaskedSet(_images(path), str(path))


def _images(root: Path) -> Iterator[MaskedImage]:
    files = sorted(file for file in root.rglob("*") if file.suffix.lower() in SUFFIXES)
    masks = {file for file in files if file.name.endswith(MASK)}
    for file in files:
        if file in masks:
            continue
        folder = file.parent.relative_to(root)
        name = file.relative_to(root).as_posix()
        mask = file.with_name(f"{file.stem}{MASK}")
        if mask in masks:
            kind = _kind(folder) if read_mask(mask).any() else GOOD
            yield MaskedImage(name, file, partial(_read, mask), kind, name)
        elif folder.name == GOOD_FOLDER:
            yield MaskedImage(name, file, _nothing, GOOD, name)
        else:
            raise DataError(
                f"there is no {mask.name}",
                where=f"{root}: {name}",
                allowed=f"a mask beside every image, all 0 for a good part; or good parts in a folder {GOOD_FOLDER}/",
            )
    images = {file.with_name(f"{file.stem}{MASK}") for file in files if file not in masks}
    lost = sorted(masks - images)
    if lost:
        where = f"{root}: {lost[0].relative_to(root)}"
        raise DataError("belongs to no image", where=where, allowed="NAME.mask.png beside NAME.jpg")


def _kind(folder: Path) -> str:
    """Of the images in a folder, relative to the root."""
    return "defect" if folder == Path() else folder.as_posix()


def _read(mask: Path, _: tuple[int, int]) -> Mask:
    return read_mask(mask)


def _nothing(hw: tuple[int, int]) -> Mask:
    return np.zeros(hw, np.bool_)
