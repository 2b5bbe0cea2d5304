"""Writing a labelled set as a COCO keypoint file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from pipeline.errors import DataError
from training.data import MISSING, Dataset, Part
from training.labels.corners import corners_of

DECIMALS = 9  # of a px: what a file gave with as many comes back as it was


def coco_bytes(dataset: Dataset, images: Path) -> bytes:
    """The file that `training.labels.coco.read_coco` reads back to the same names, positions, states and boxes.

    Positions count from the corner of the image. A missing keypoint has v = 0, with its position if that is known.

    Args:
        dataset: what is written.
        images: the folder that ``file_name`` is to be relative to; all images lie below it.

    Raises:
        DataError: an image lies elsewhere, or a keypoint that is not missing has no position.
    """
    number = {image: index for index, image in enumerate(dataset.images, 1)}
    sizes = {part.image: part.image_wh for part in dataset.parts}
    ids = [part.annotation for part in dataset.parts]
    keep = len(set(ids)) == len(ids)
    file: dict[str, Any] = {
        "images": [
            {"id": number[image], "file_name": relative(image, images), "width": wh[0], "height": wh[1]}
            for image, wh in sizes.items()
        ],
        "annotations": [
            _annotation(part, part.annotation if keep else index, number[part.image])
            for index, part in enumerate(dataset.parts, 1)
        ],
        "categories": [{"id": 1, "name": dataset.name, "keypoints": list(dataset.keypoints), "skeleton": []}],
    }
    return msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n"


def relative(image: Path, folder: Path) -> str:
    """The image's path from the folder, with slashes. Raises DataError if it lies elsewhere."""
    try:
        return image.relative_to(folder).as_posix()
    except ValueError:
        raise DataError(f"{image} is not in {folder}", allowed="images below the folder given by --images") from None


def _annotation(part: Part, number: int, image: int) -> dict[str, Any]:
    table = corners_of(part, DECIMALS)
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": list(part.box),
        "area": part.box[2] * part.box[3],
        "keypoints": [int(value) if value == int(value) else value for value in table.ravel().tolist()],
        "num_keypoints": int((part.state != MISSING).sum()),
    }
