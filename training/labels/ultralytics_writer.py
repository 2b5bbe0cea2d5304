"""Writing a labelled set as pose labels of Ultralytics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from pipeline.errors import DataError
from training.data import MISSING, VISIBLE, Dataset, Part
from training.labels.coco_writer import relative
from training.labels.corners import corners_of
from training.labels.orientation import refuse_turned
from training.symmetry import flip_order

DECIMALS = 8  # of shares of the image: 0.0001 px in 10000
_CORNER_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class UltralyticsFiles:
    """What is to be written.

    Attributes:
        files: text of data.yaml and of every label file, by their path in the set; the image of ``labels/A.txt`` belongs
            to ``images/A.*``.
        notes: sentences on what the format cannot say.
    """

    files: dict[PurePosixPath, str]
    notes: tuple[str, ...]


def ultralytics_files(dataset: Dataset, images: Path, pairs: Sequence[tuple[str, str]] = ()) -> UltralyticsFiles:
    """The files that `training.labels.ultralytics.read_ultralytics` reads back.

    The format knows no place outside of the image: hidden and missing keypoints there become missing without a position,
    and boxes are cut at its edge; ``notes`` counts both.

    Args:
        dataset: what is written.
        images: the folder that the labels' paths are to be relative to.
        pairs: keypoints that change over in a mirror, for ``flip_idx``; it is left out without.

    Raises:
        DataError: an image lies elsewhere or says that it is to be turned, two images differ only in their suffix, a
            keypoint has no position, or a pair names something else.
    """
    lines: dict[PurePosixPath, list[str]] = {}
    owner: dict[PurePosixPath, Path] = {}
    outside = cut = 0
    for part in dataset.parts:
        name = (PurePosixPath("labels") / relative(part.image, images)).with_suffix(".txt")
        if name not in owner:
            _check(part.image, name)
        if owner.setdefault(name, part.image) != part.image:
            raise DataError(
                f"{part.image} and {owner[name]} would share {name}", allowed="names that differ without suffix"
            )
        line, lost, smaller = _line(part)
        lines.setdefault(name, []).append(line)
        outside, cut = outside + lost, cut + smaller
    notes = []
    if outside:
        notes.append(f"{outside} keypoints outside of their image became missing: the format has no place for them")
    if cut:
        notes.append(f"{cut} boxes were cut at the edge of their image")
    files = {PurePosixPath("data.yaml"): _yaml(dataset, pairs)}
    files |= {name: "\n".join(rows) + "\n" for name, rows in lines.items()}
    return UltralyticsFiles(files, tuple(notes))


def _check(image: Path, name: PurePosixPath) -> None:
    refuse_turned(image)
    if "images" in name.parts:  # readers put "labels" in the place of the last of them
        raise DataError("lies in a folder images below that of --images", where=str(image), allowed="another name")


def _yaml(dataset: Dataset, pairs: Sequence[tuple[str, str]]) -> str:
    order = {"flip_idx": flip_order(dataset.keypoints, pairs).tolist()} if pairs else {}
    content = {
        "train": "images",
        "val": "images",
        "kpt_shape": [len(dataset.keypoints), 3],
        **order,
        "names": {0: dataset.name},
        "kpt_names": {0: list(dataset.keypoints)},
    }
    head = "# The same images to train and to validate: divide them first.\n"
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None)
    return head + text


def _line(part: Part) -> tuple[str, int, bool]:
    """A part's line, how many of its keypoints lie outside of the image, and whether its box does."""
    wide, high = part.image_wh
    table = corners_of(part, _CORNER_DECIMALS)
    beyond = ((table[:, :2] < 0) | (table[:, :2] > part.image_wh)).any(1) & (part.state != VISIBLE)
    table[beyond] = (0.0, 0.0, MISSING)
    x, y, w, h = part.box
    left, top, right, bottom = max(x, 0.0), max(y, 0.0), min(x + w, wide), min(y + h, high)
    cut = (left, top, right, bottom) != (x, y, x + w, y + h)
    box = ((left + right) / 2 / wide, (top + bottom) / 2 / high, (right - left) / wide, (bottom - top) / high)
    words = ["0", *map(_share, box)]
    for at_x, at_y, v in table.tolist():
        words += [_share(at_x / wide), _share(at_y / high), f"{v:.0f}"]
    return " ".join(words), int(beyond.sum()), cut


def _share(value: float) -> str:
    return f"{value:.{DECIMALS}f}"
