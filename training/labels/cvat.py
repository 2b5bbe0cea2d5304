"""Skeletons from CVAT: its own XML, "CVAT for images 1.1"."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from pipeline import plain_file
from pipeline.errors import DataError
from training.data import HIDDEN, MISSING, VISIBLE, Part
from training.labels.corners import Box, box_around, part_from_corners
from training.labels.imported import Imported, dataset_of, stored_size

LARGEST_BYTES = 1 << 30
_DEEPEST = 100


def read_cvat(path: Path, images: Path) -> Imported:
    """Read the skeletons of an annotations.xml.

    A point with outside="1" is missing, one with occluded="1" hidden, others are visible. The order of the keypoints is
    that of the skeleton's labels in ``meta``, or, in a file without, that of the first skeleton. The part's box is a
    ``<box>`` of the same group_id if there is one, else the surroundings of its keypoints.

    Args:
        path: the XML file.
        images: the folder that the names of the images are relative to.

    Raises:
        DataError: names the image and the skeleton that is wrong, and what is allowed.
    """
    root = _parse(path)
    if root.tag != "annotations":
        raise DataError(f"begins with <{root.tag}>", where=str(path), allowed="<annotations>, of CVAT for images 1.1")
    if root.find("track") is not None:
        raise DataError(
            "is an export for video", where=str(path), allowed='the format "CVAT for images 1.1" of the same task'
        )
    label = _label(root, path)
    names = _sublabels(root, label) or _first_order(root)
    parts: list[Part] = []
    bare = 0
    seen: set[str] = set()
    for element in root.iter("image"):
        name = element.get("name", "")
        where = f"{path}: image {name!r}"
        if name in seen:
            raise DataError("is there twice", where=where, allowed="every image once")
        seen.add(name)
        found = list(_parts(element, plain_file.below(images, name, DataError, where=where), names, where))
        bare += not found
        parts += found
    notes = (f"{bare} images have no skeleton and are left out",) if bare else ()
    return Imported(dataset_of(label, names, parts, path), notes)


def _parse(path: Path) -> Element:
    """The file's tree. A document type is refused: entities may grow without bound or name other files."""
    builder, parser, depth = TreeBuilder(), expat.ParserCreate(), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise DataError("is nested too deep", where=str(path), allowed=f"{_DEEPEST} levels")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise DataError(
            "declares a document type", where=str(path), allowed="XML without <!DOCTYPE …>, as CVAT writes it"
        )

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(plain_file.read(path, LARGEST_BYTES, DataError), True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError) as problem:  # the latter two: an encoding that is none
        raise DataError(f"is not XML ({problem})", where=str(path), allowed="CVAT for images 1.1") from None


def _label(root: Element, path: Path) -> str:
    """The label of all skeletons."""
    labels = sorted({element.get("label", "") for element in root.iter("skeleton")})
    if len(labels) != 1 or not labels[0]:
        what = f"skeletons of {', '.join(labels)}" if labels else "there is no skeleton"
        raise DataError(what, where=str(path), allowed="parts labelled as skeletons, all of one label")
    return labels[0]


def _sublabels(root: Element, label: str) -> list[str]:
    """The names of the skeleton's points in the order of ``meta``; none where it does not say."""
    labels = root.iterfind("meta//label")
    return [element.findtext("name") or "" for element in labels if element.findtext("parent") == label]


def _first_order(root: Element) -> list[str]:
    first = next(root.iter("skeleton"))
    return [point.get("label", "") for point in first.iter("points")]


def _parts(element: Element, file: Path, names: list[str], where: str) -> Iterator[Part]:
    skeletons = element.findall("skeleton")
    if not skeletons:
        return
    wh = stored_size(file) if file.is_file() else None
    if wh is None:
        raise DataError(
            f"there is no file {file}", where=where, allowed="names relative to the folder given by --images"
        )
    said = element.get("width"), element.get("height")
    if said != (str(wh[0]), str(wh[1])):
        raise DataError(f"is {said[0]} x {said[1]} in CVAT", where=where, allowed=f"{wh[0]} x {wh[1]}, as {file} is")
    boxes = _boxes(element, where)
    for index, skeleton in enumerate(skeletons, 1):
        place = f"{where}: skeleton {index}"
        table = _table(skeleton, names, place)
        if not (table != 0).any():
            raise DataError("no keypoint has a position", where=place, allowed="at least one; or delete the skeleton")
        box = boxes.get(skeleton.get("group_id") or "0") or box_around(table, wh)
        yield part_from_corners(file, wh, names, table, box, index, place)


def _table(skeleton: Element, names: list[str], where: str) -> NDArray[np.float64]:
    """x, y, v (K, 3); a point that is not there is missing."""
    table = np.zeros((len(names), 3))
    seen = set()
    for point in skeleton.iter("points"):
        name = point.get("label", "")
        if name not in names or name in seen:
            raise DataError(f"point {name!r}", where=where, allowed=f"each of {', '.join(names)} once")
        seen.add(name)
        state = MISSING if _flag(point, "outside", where) else HIDDEN if _flag(point, "occluded", where) else VISIBLE
        place = point.get("points", "").split(",")
        if len(place) != 2:
            raise DataError(f"points is {point.get('points')!r}", where=f"{where}, {name}", allowed='one point, "x,y"')
        table[names.index(name)] = (*_numbers(place, f"{where}, {name}"), state)
    return table


def _boxes(element: Element, where: str) -> dict[str, Box]:
    """Upright boxes by their group; group 0 is none."""
    boxes = {}
    for box in element.iterfind("box"):
        group = box.get("group_id") or "0"
        if group == "0" or float(_numbers([box.get("rotation") or "0"], where)[0]) != 0.0:
            continue
        left, top, right, bottom = _numbers([box.get(side, "") for side in ("xtl", "ytl", "xbr", "ybr")], where)
        boxes[group] = (left, top, right - left, bottom - top)
    return boxes


def _numbers(texts: list[str], where: str) -> list[float]:
    try:
        return [float(text) for text in texts]
    except ValueError:
        raise DataError(f"{','.join(texts)!r} are no numbers", where=where, allowed="numbers in px") from None


def _flag(point: Element, name: str, where: str) -> bool:
    value = point.get(name, "0")
    if value not in ("0", "1"):
        raise DataError(f"{name} is {value!r}", where=where, allowed="0 or 1")
    return value == "1"
