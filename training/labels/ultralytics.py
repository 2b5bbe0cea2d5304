"""Pose labels of Ultralytics: a data.yaml, and a text file beside every image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import yaml
from msgspec import Meta

from pipeline import plain_file
from pipeline.errors import DataError
from training.data import VISIBLE, Part
from training.labels.corners import part_from_corners
from training.labels.imported import Imported, dataset_of, stored_size
from training.symmetry import pairs_of

LARGEST_BYTES = 1 << 24
_LARGEST_YAML_BYTES = 1 << 18
_DEEPEST = 10
IMAGES, LABELS = "images", "labels"  # in a path the one stands for the other
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


class DataYaml(msgspec.Struct, frozen=True):
    """What is used of a data.yaml; ``kpt_names`` has the keypoints' names for each class."""

    kpt_shape: tuple[Annotated[int, Meta(ge=1)], Annotated[int, Meta(ge=2, le=3)]]
    names: dict[int, str] | list[str]
    flip_idx: list[int] = []
    kpt_names: dict[int, list[str]] | list[str] = []

    def class_name(self, index: int) -> str | None:
        """The name of a class; None if there is no such class."""
        names = self.names if isinstance(self.names, dict) else dict(enumerate(self.names))
        return names.get(index)

    def keypoint_names(self, index: int) -> list[str]:
        """The keypoints of a class; numbered where the file does not name them."""
        named = self.kpt_names if isinstance(self.kpt_names, list) else self.kpt_names.get(index, [])
        return named or [f"keypoint_{k}" for k in range(self.kpt_shape[0])]


def read_ultralytics(path: Path, images: Path) -> Imported:
    """Read the pose labels of all images below a folder.

    A label file has the place of its image with ``images`` replaced by ``labels`` (the last such folder in the path);
    without one, the image's path from ``images`` below the ``labels`` beside data.yaml. A line is class, box (centre, size) and
    the keypoints, all in shares of the image from its corner; v is 2 visible, 1 hidden, 0 missing. With
    ``kpt_shape: [K, 2]`` every keypoint is visible but one at 0, 0 or below 0, which is missing.

    Args:
        path: data.yaml or the folder that it is in.
        images: the folder of the images.

    Raises:
        DataError: names the file and the line that is wrong, and what is allowed.
    """
    path = path / "data.yaml" if path.is_dir() else path
    settings = _settings(path)
    if not images.is_dir():
        raise DataError("there is no such folder", where=f"--images: {images}")
    parts: list[Part] = []
    classes: dict[int, str] = {}
    bare, read = 0, set()
    for image in sorted(file for file in images.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()):
        labels = label_file(image, images, path.parent)
        lines = _lines(labels)
        read.add(labels)
        bare += not lines
        wh = stored_size(image) if lines else (1, 1)
        for number, values in lines:
            where = f"{labels}: line {number}"
            classes.setdefault(_class(values, settings, where), where)
            parts.append(_part(values, settings, image, wh, where))
    _check_all_read(read)
    if len(classes) > 1:
        second = list(classes)[1]
        raise DataError(
            f"a second class, {settings.class_name(second)!r}", where=classes[second], allowed="one in a set"
        )
    only = next(iter(classes), 0)
    keypoints = settings.keypoint_names(only)
    dataset = dataset_of(settings.class_name(only) or "part", keypoints, parts, path)
    return Imported(dataset, tuple(_notes(settings, keypoints, bare)))


def label_file(image: Path, images: Path, beside: Path) -> Path:
    """Where the labels of an image are."""
    folders = list(image.parts)
    if IMAGES in folders[:-1]:
        last = len(folders) - 2 - folders[-2::-1].index(IMAGES)
        return Path(*folders[:last], LABELS, *folders[last + 1 :]).with_suffix(".txt")
    return (beside / LABELS / image.relative_to(images)).with_suffix(".txt")


def _settings(path: Path) -> DataYaml:
    content = plain_file.read(path, _LARGEST_YAML_BYTES, DataError)
    try:
        _check_plain(content)
        settings = msgspec.convert(yaml.safe_load(content), DataYaml)
    except (yaml.YAMLError, msgspec.ValidationError, ValueError, RecursionError, OverflowError) as problem:
        raise DataError(
            f"is no data.yaml of a pose set: {' '.join(str(problem).split())}",
            where=str(path),
            allowed="kpt_shape: [K, 3] and names",
        ) from None
    count = settings.kpt_shape[0]
    named = settings.kpt_names.values() if isinstance(settings.kpt_names, dict) else [settings.kpt_names]
    if any(names and len(names) != count for names in named):
        raise DataError(
            f"kpt_names does not name {count} keypoints", where=str(path), allowed="as many as kpt_shape says"
        )
    return settings


def _check_plain(content: bytes) -> None:
    """Raise ValueError for YAML that takes more time or memory than its size tells."""
    depth = 0
    for event in yaml.parse(content, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it has *references, a few lines of which may stand for more than memory holds")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError("it is nested too deep")


def _notes(settings: DataYaml, keypoints: list[str], bare: int) -> Iterator[str]:
    if bare:
        yield f"{bare} images have no labels and are left out"
    if not settings.kpt_names:
        yield "data.yaml has no kpt_names: the keypoints are numbered"
    if settings.flip_idx:
        pairs = pairs_of(keypoints, settings.flip_idx)
        yield "in a mirror change over: " + (", ".join(f"{a} and {b}" for a, b in pairs) or "none")


def _lines(path: Path) -> list[tuple[int, list[float]]]:
    """The numbers of every line that is not empty; none where there is no file."""
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(plain_file.read(path, LARGEST_BYTES, DataError).splitlines(), 1):
        try:
            values = [float(word) for word in line.split()]
        except ValueError:
            raise DataError(
                "is not all numbers", where=f"{path}: line {number}", allowed="class cx cy w h x y v …"
            ) from None
        if values:
            rows.append((number, values))
    return rows


def _class(values: list[float], settings: DataYaml, where: str) -> int:
    if not values[0].is_integer() or settings.class_name(int(values[0])) is None:
        raise DataError(f"class {values[0]:g}", where=where, allowed="a number of names in data.yaml")
    return int(values[0])


def _part(values: list[float], settings: DataYaml, image: Path, wh: tuple[int, int], where: str) -> Part:
    count, dimensions = settings.kpt_shape
    if len(values) != 5 + count * dimensions:
        raise DataError(
            f"{len(values)} numbers",
            where=where,
            allowed=f"{5 + count * dimensions}: class, box and {count} keypoints of {dimensions} numbers",
        )
    shares = np.array(values[5:]).reshape(count, dimensions)
    table = np.zeros((count, 3))
    if dimensions == 3:
        table[:] = shares * (*wh, 1)
    else:
        is_there = (shares != 0).any(1) & (shares >= 0).all(1)
        table[is_there, :2], table[is_there, 2] = shares[is_there] * wh, VISIBLE
    x, y, wide, high = (share * side for share, side in zip(values[1:5], wh * 2, strict=True))
    box = (x - wide / 2, y - high / 2, wide, high)
    names = settings.keypoint_names(int(values[0]))
    return part_from_corners(image, wh, names, table, box, 0, where)


def _check_all_read(read: set[Path]) -> None:
    """Refuse labels that no image was found for: a folder that does not fit would look like a small set."""
    for folder in sorted({path.parent for path in read}):
        left = sorted(set(folder.glob("*.txt")) - read) if folder.is_dir() else []
        if left:
            raise DataError(
                "there is no image for these labels", where=str(left[0]), allowed="a label file for an image"
            )
