"""The reference frames of a recipe's views, replaced all together or not at all."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import RecipeError

FOLDER = "reference"
DRAFT = f".{FOLDER}.new"  # hidden, so that no lock names it
FORMER = f".{FOLDER}.old"


def draft(view: Path, images: Sequence[NDArray[np.uint8]]) -> None:
    """Write grey images (h, w) beside the reference frames of a view's folder. Raises RecipeError where that fails."""
    folder, present = view / DRAFT, view / FOLDER
    with _named(view):
        if present.exists() and not present.is_dir():  # somebody's file
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        _remove(folder)
        folder.mkdir(parents=True)
        for number, image in enumerate(images, start=1):
            encoded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
            (folder / f"{number:04}.png").write_bytes(encoded.tobytes())


def files(view: Path, *, drafted: bool) -> list[Path]:
    """The reference frames of a view's folder, or the drafted ones, in the order of their names."""
    return sorted((view / (DRAFT if drafted else FOLDER)).glob("*.png"))


@contextmanager
def swapped(views: Iterable[Path]) -> Iterator[None]:
    """Put the drafts of these views' folders into place; where the block raises, everything is as it was.

    Raises:
        RecipeError: a folder cannot be renamed.
    """
    done: list[Path] = []
    try:
        for view in views:
            with _named(view):
                _remove(view / FORMER)
                if (view / FOLDER).exists():
                    (view / FOLDER).rename(view / FORMER)
                done.append(view)
                (view / DRAFT).rename(view / FOLDER)
        yield
    except BaseException:
        for view in done:
            if not (view / DRAFT).exists():
                (view / FOLDER).rename(view / DRAFT)
            if (view / FORMER).exists():
                (view / FORMER).rename(view / FOLDER)
        raise
    for view in done:
        shutil.rmtree(view / FORMER, ignore_errors=True)


def discard(views: Iterable[Path]) -> None:
    """Remove what was drafted for these views' folders, if anything."""
    for view in views:
        shutil.rmtree(view / DRAFT, ignore_errors=True)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _named(view: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise RecipeError(f"cannot be written ({problem.strerror})", where=str(view / FOLDER)) from None
