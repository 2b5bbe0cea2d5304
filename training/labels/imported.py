"""What an importer gives: the set, and what its user should know of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.camera.image_size import image_size
from pipeline.errors import CameraError, DataError
from training.data import Dataset, Part
from training.labels.orientation import refuse_turned


@dataclass(frozen=True, slots=True)
class Imported:
    """A labelled set from another tool.

    Attributes:
        dataset: the set; annotations are numbered from 1 in order.
        notes: sentences on what the file has that the set has not.
    """

    dataset: Dataset
    notes: tuple[str, ...] = ()


def dataset_of(name: str, keypoints: Iterable[str], parts: Iterable[Part], where: Path) -> Dataset:
    """Put parts in order and number them. Raises DataError if there are none, or the names are no names."""
    names = tuple(keypoints)
    if not names or not all(names) or len(set(names)) != len(names):
        raise DataError(f"keypoint names {list(names)}", where=str(where), allowed="at least one name, each different")
    in_order = sorted(parts, key=lambda part: part.image)  # stable: those of an image stay as they are
    if not in_order:
        raise DataError("no part is labelled", where=str(where), allowed="at least one part with keypoints")
    return Dataset(names, tuple(replace(part, annotation=index) for index, part in enumerate(in_order, 1)), name)


def stored_size(image: Path) -> tuple[int, int]:
    """Width and height of an image that labelling tools show as it is stored.

    Raises:
        DataError: it is no image, or says that it is to be turned.
    """
    try:
        size = image_size(image)
    except CameraError as problem:
        raise DataError(problem.what, where=problem.where, allowed=problem.allowed) from None
    refuse_turned(image)
    return size
