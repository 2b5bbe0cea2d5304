"""Writing a labelled set for CVAT: "CVAT for images 1.1"."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import quoteattr

from pipeline.errors import DataError
from training.data import HIDDEN, MISSING, Dataset, Part
from training.labels.coco_writer import relative
from training.labels.corners import corners_of
from training.labels.orientation import refuse_turned

DECIMALS = 4  # of a px; CVAT itself writes 2
_BOX = "_box"  # a label of its own: one of type skeleton takes no rectangles


def cvat_bytes(dataset: Dataset, images: Path) -> bytes:
    """The annotations.xml that `training.labels.cvat.read_cvat` reads back, and that CVAT imports into a task.

    The task needs the labels that stand in ``meta``: a skeleton with the keypoints as its points, and a rectangle NAME_box.
    Every part is a skeleton and a box of one group. A missing keypoint is outside="1", a hidden one occluded="1".

    Args:
        dataset: what is written.
        images: the folder that the images' names are to be relative to.

    Raises:
        DataError: an image lies elsewhere or says that it is to be turned, a keypoint has no position, or a name has
            characters that XML cannot carry.
    """
    _check_names(dataset)
    by_image: dict[Path, list[Part]] = {}
    for part in dataset.parts:
        by_image.setdefault(part.image, []).append(part)
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>", *_meta(dataset)]
    group = 0
    for index, (image, parts) in enumerate(by_image.items()):
        refuse_turned(image)
        name, (wide, high) = quoteattr(relative(image, images)), parts[0].image_wh
        lines.append(f'  <image id="{index}" name={name} width="{wide}" height="{high}">')
        for part in parts:
            group += 1
            lines += _part(part, dataset, group)
        lines.append("  </image>")
    return "\n".join([*lines, "</annotations>", ""]).encode()


def _check_names(dataset: Dataset) -> None:
    for name in (dataset.name, *dataset.keypoints):
        if not name.isprintable() or not name:
            raise DataError(f"name {name!r}", allowed="names of printable characters")


def _meta(dataset: Dataset) -> list[str]:
    def label(name: str, kind: str, parent: str | None) -> list[str]:
        of = [f"        <parent>{_text(parent)}</parent>"] if parent is not None else []
        return [
            "      <label>",
            f"        <name>{_text(name)}</name>",
            f"        <type>{kind}</type>",
            "        <attributes></attributes>",
            *of,
            "      </label>",
        ]

    lines = ["  <meta>", "    <task>", "      <labels>", *label(dataset.name, "skeleton", None)]
    lines += label(f"{dataset.name}{_BOX}", "rectangle", None)
    for name in dataset.keypoints:
        lines += label(name, "points", dataset.name)
    return [*lines, "      </labels>", "    </task>", "  </meta>"]


def _part(part: Part, dataset: Dataset, group: int) -> list[str]:
    x, y, wide, high = part.box
    label, box_label = quoteattr(dataset.name), quoteattr(dataset.name + _BOX)
    sides = f'xtl="{_px(x)}" ytl="{_px(y)}" xbr="{_px(x + wide)}" ybr="{_px(y + high)}"'
    lines = [
        f'    <box label={box_label} source="manual" occluded="0" {sides} z_order="0" group_id="{group}"></box>',
        f'    <skeleton label={label} source="manual" z_order="0" group_id="{group}">',
    ]
    for name, (at_x, at_y, v) in zip(dataset.keypoints, corners_of(part, DECIMALS).tolist(), strict=True):
        flags = f'outside="{int(v == MISSING)}" occluded="{int(v == HIDDEN)}"'
        lines.append(
            f'      <points label={quoteattr(name)} source="manual" {flags} points="{_px(at_x)},{_px(at_y)}"></points>'
        )
    return [*lines, "    </skeleton>"]


def _px(value: float) -> str:
    return f"{value:.{DECIMALS}f}"


def _text(name: str | None) -> str:
    return (name or "").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
