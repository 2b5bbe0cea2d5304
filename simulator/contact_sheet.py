"""A sheet of pictures with the truth drawn in, to be looked at before a set is used."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.defects import close_up
from simulator.render import Rendered
from simulator.truth import State

Colour = tuple[int, int, int]  # blue, green, red
Picture = NDArray[np.uint8]
Box = tuple[int, int, int, int]  # left, top, right, bottom

_COLOUR: dict[State, Colour] = {State.VISIBLE: (70, 230, 70), State.HIDDEN: (0, 160, 255), State.MISSING: (70, 70, 255)}
_INK: Colour = (24, 24, 24)
_SMALL = 0.4
_MARGIN = 8
_HEAD = 52


def contact_sheet(frames: list[Rendered], keypoints: tuple[str, ...], *, columns: int = 4) -> Picture:
    """The first frame large with the names of its keypoints, the others small below it, then their defects enlarged.

    Returns:
        (H, W, 3) uint8, blue, green, red. Green crosses are visible, orange hidden, red missing features; a colour for
        each kind of defect outlines its mask.
    """
    height, width = frames[0].image.shape
    tile_height, tile_width = round(height * _SMALL), round(width * _SMALL)
    rows = -(-(len(frames) - 1) // columns)
    sheet_width = max(width, columns * (tile_width + _MARGIN) - _MARGIN) + 2 * _MARGIN
    sheet = np.full((_HEAD + height + rows * (tile_height + _MARGIN) + _MARGIN, sheet_width, 3), _INK, np.uint8)
    _legend(sheet, frames[0].family)
    left = (sheet_width - width) // 2
    sheet[_HEAD : _HEAD + height, left : left + width] = annotated(frames[0], keypoints)
    for index, frame in enumerate(frames[1:]):
        top = _HEAD + height + _MARGIN + (index // columns) * (tile_height + _MARGIN)
        left = _MARGIN + (index % columns) * (tile_width + _MARGIN)
        sheet[top : top + tile_height, left : left + tile_width] = annotated(frame, (), scale=_SMALL)
    return _with_close_ups(sheet, frames) if any(frame.defects for frame in frames) else sheet


def annotated(frame: Rendered, names: tuple[str, ...], *, scale: float = 1.0) -> Picture:
    """One frame in colour with box and crosses, and with names where ``names`` holds one for each keypoint."""
    size = (round(frame.image.shape[1] * scale), round(frame.image.shape[0] * scale))
    grey = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
    picture = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    x, y, w, h = frame.box_xywh_sensor_px
    corners = [(round(px * scale), round(py * scale)) for px, py in ((x, y), (x + w, y + h))]
    cv2.rectangle(picture, corners[0], corners[1], (190, 140, 70), 1)
    xy = (frame.xy_sensor_px + 0.5) * scale - 0.5
    colours = [_COLOUR[State(int(state))] for state in frame.state]
    for point, colour in zip(xy, colours, strict=True):
        _cross(picture, point, colour, 11 if names else 7)
    for defect in frame.defects:
        close_up.outline(picture, defect, (0.0, 0.0), scale)
    taken: list[Box] = []
    for name, point, colour in zip(names, xy, colours, strict=False):
        _name(picture, name, (float(point[0]), float(point[1])), colour, taken)
    return picture


def _with_close_ups(sheet: Picture, frames: list[Rendered]) -> Picture:
    for position, (kind, colour) in enumerate(close_up.COLOUR.items()):
        _text(sheet, kind.value, (800 + 110 * position, 34), colour, 0.7)
    columns = max(1, (sheet.shape[1] - 2 * _MARGIN) // (2 * close_up.SIDE + _MARGIN))
    enlarged = close_up.close_ups([(frame.image, frame.defects) for frame in frames], columns)
    below = np.full((enlarged.shape[0] + _MARGIN, sheet.shape[1], 3), _INK, np.uint8)
    below[: enlarged.shape[0], _MARGIN : _MARGIN + enlarged.shape[1]] = enlarged[:, : sheet.shape[1] - _MARGIN]
    return np.concatenate([sheet, below])


def _cross(picture: Picture, point: NDArray[np.float64], colour: Colour, arm: int) -> None:
    for dx, dy in ((arm, 0), (0, arm)):
        first, last = ([round(float(v) * 16) for v in (point[0] + s * dx, point[1] + s * dy)] for s in (-1, 1))
        cv2.line(picture, first, last, colour, 1, cv2.LINE_AA, shift=4)


def _name(picture: Picture, name: str, at: tuple[float, float], colour: Colour, taken: list[Box]) -> None:
    """Write a name where no other name stands, with a thin line to its point."""
    (width, height), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    boxes = [
        (left, top, left + width + 6, top + height + 8)
        for distance in (14, 34, 54, 74, 94)
        for dx, dy in ((1, -1), (1, 1), (-1, -1), (-1, 1))
        for left, top in [
            (
                round(at[0] + dx * 0.6 * distance) - (width + 6 if dx < 0 else 0),
                round(at[1] + dy * distance) - (height + 8 if dy < 0 else 0),
            )
        ]
    ]
    box = next((b for b in boxes if not any(_overlap(b, other) for other in taken)), boxes[0])
    taken.append(box)
    nearest = (int(np.clip(at[0], box[0], box[2])), int(np.clip(at[1], box[1], box[3])))
    cv2.line(picture, (round(at[0]), round(at[1])), nearest, colour, 1, cv2.LINE_AA)
    cv2.rectangle(picture, box[:2], box[2:], _INK, -1)
    _text(picture, name, (box[0] + 3, box[3] - 5), colour, 0.5)


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _text(picture: Picture, text: str, at: tuple[int, int], colour: Colour, size: float) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def _legend(sheet: Picture, family: str) -> None:
    _text(sheet, family, (16, 34), (235, 235, 235), 0.8)
    words = (("visible", State.VISIBLE), ("hidden", State.HIDDEN), ("feature missing", State.MISSING))
    for position, (word, state) in enumerate(words):
        _text(sheet, f"+ {word}", (260 + 170 * position, 34), _COLOUR[state], 0.7)
