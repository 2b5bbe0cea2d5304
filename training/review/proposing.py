"""A teacher asked about every photograph of a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.camera.folder import SUFFIXES
from pipeline.camera.image_file import read_image
from pipeline.camera.image_size import image_size
from pipeline.errors import CameraError, DataError
from training.review.marked import Marked
from training.review.taught import Taught, taught
from training.teach.proposal import FindsKeypoints, Image, Proposal

TOGETHER = 8  # images that a teacher gets at a time
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Example:
    """One photograph and what was marked on it."""

    image: Path
    picture: Image
    marked: Marked

    @property
    def names(self) -> tuple[str, ...]:
        """Of its keypoints."""
        return self.marked.names


@dataclass(frozen=True, slots=True)
class Described:
    """Keypoints in words, each with the name that its label gets."""

    names: tuple[str, ...]
    words: tuple[str, ...]


def photographs(folder: Path) -> list[Path]:
    """The images of a folder by name, each with a size that can be read.

    Raises:
        DataError: no folder, no image, or one that is none.
    """
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        for path in found:
            path.name.encode()  # COCO files are UTF-8
            image_size(path)
    except UnicodeEncodeError:
        raise DataError(f"{path.name!r} is no text in UTF-8", where=str(folder), allowed="another name") from None
    except OSError as problem:
        raise DataError(
            f"cannot be read ({problem.strerror})", where=str(folder), allowed="a folder of images"
        ) from None
    except CameraError as problem:
        raise DataError(problem.what, where=problem.where, allowed=problem.allowed) from None
    if not found:
        raise DataError("holds no images", where=str(folder), allowed=" ".join(SUFFIXES))
    return found


def propose(
    teacher: FindsKeypoints, images: Sequence[Path], how: Example | Described, progress: Progress
) -> list[Taught]:
    """One part for each image; the example itself, where it is one of them, as it was marked.

    Raises:
        DataError: an image cannot be read.
        DatumdError: the teacher cannot answer.
    """
    marked = how.marked if isinstance(how, Example) else None
    numbers = {path: number for number, path in enumerate(images, 1)}
    found: dict[Path, Taught] = {}
    if isinstance(how, Example):
        found = {path: _as_marked(path, how, numbers[path]) for path in images if path.samefile(how.image)}
    asked = [path for path in images if path not in found]
    for first in range(0, len(asked), TOGETHER):
        paths = asked[first : first + TOGETHER]
        pictures = [read_image(path, colour=True, error=DataError) for path in paths]
        for path, picture, answers in zip(paths, pictures, _ask(teacher, pictures, how), strict=True):
            found[path] = taught(path, (picture.shape[1], picture.shape[0]), answers, numbers[path], marked)
        progress(first + len(paths), len(asked))
    return [found[path] for path in images]


def _ask(teacher: FindsKeypoints, pictures: list[Image], how: Example | Described) -> list[list[Proposal]]:
    if isinstance(how, Example):
        return teacher.locate_like(pictures, how.picture, how.marked.xy_px, how.marked.names)
    answers = teacher.locate_words(pictures, how.words)
    return [[replace(one, name=name) for name, one in zip(how.names, each, strict=True)] for each in answers]


def _as_marked(path: Path, how: Example, number: int) -> Taught:
    height, width = how.picture.shape[:2]
    each = zip(how.marked.names, how.marked.xy_px, strict=True)
    given = [Proposal(name, np.asarray(xy), 1.0, True, "marked") for name, xy in each]
    return taught(path, (width, height), given, number, how.marked)
