"""A sheet of small pictures with the truth drawn in, to be looked at before a set is used."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.render import Rendered
from simulator.truth import State

_COLOUR = {State.VISIBLE: (60, 220, 60), State.HIDDEN: (0, 150, 255), State.MISSING: (60, 60, 255)}  # blue, green, red
_MARGIN = 8


def contact_sheet(frames: list[Rendered], keypoints: tuple[str, ...], *, columns: int = 4) -> NDArray[np.uint8]:
    """The first frame large with the names of its keypoints, the others small around it.

    Returns:
        (H, W, 3) uint8, blue, green, red; green crosses are visible, orange hidden, red missing features.
    """
    height, width = frames[0].image.shape
    large = _drawn(frames[0], keypoints, 1.0)
    small = [_drawn(frame, None, 0.4) for frame in frames[1:]]
    tile = (round(height * 0.4), round(width * 0.4))
    rows = -(-len(small) // columns)
    sheet_width = max(width, columns * (tile[1] + _MARGIN)) + 2 * _MARGIN
    sheet = np.full((height + 70 + rows * (tile[0] + _MARGIN) + 2 * _MARGIN, sheet_width, 3), 28, np.uint8)
    _legend(sheet, frames[0].family)
    left = (sheet_width - width) // 2
    sheet[60 : 60 + height, left : left + width] = large
    for index, picture in enumerate(small):
        y = height + 70 + (index // columns) * (tile[0] + _MARGIN)
        x = _MARGIN + (index % columns) * (tile[1] + _MARGIN)
        sheet[y : y + tile[0], x : x + tile[1]] = picture
    return sheet


def _drawn(frame: Rendered, names: tuple[str, ...] | None, scale: float) -> NDArray[np.uint8]:
    grey = frame.image if scale == 1.0 else cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = cv2.cvtColor(np.asarray(grey, np.uint8), cv2.COLOR_GRAY2BGR)
    xy = (frame.xy_sensor_px + 0.5) * scale - 0.5
    x, y, w, h = frame.box_xywh_sensor_px
    corners = [tuple(round(v * scale) for v in point) for point in ((x, y), (x + w, y + h))]
    cv2.rectangle(picture, corners[0], corners[1], (170, 120, 60), 1)
    for index, point in enumerate(xy):
        colour = _COLOUR[State(int(frame.state[index]))]
        _cross(picture, point, colour, 11 if names else 7)
        if names:
            _text(picture, names[index], (int(point[0]) + 10, int(point[1]) - 8), colour, 0.5)
    return np.asarray(picture, np.uint8)


def _cross(picture: cv2.typing.MatLike, point: NDArray[np.float64], colour: tuple[int, int, int], arm: int) -> None:
    for dx, dy in ((arm, 0), (0, arm)):
        ends = [[round(float(v) * 16) for v in (point[0] + s * dx, point[1] + s * dy)] for s in (-1, 1)]
        cv2.line(picture, ends[0], ends[1], colour, 1, cv2.LINE_AA, shift=4)


def _text(picture: cv2.typing.MatLike, text: str, at: tuple[int, int], colour: tuple[int, int, int], size: float) -> None:
    for thickness, ink in ((3, (20, 20, 20)), (1, colour)):
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, ink, thickness, cv2.LINE_AA)


def _legend(sheet: NDArray[np.uint8], family: str) -> None:
    _text(sheet, family, (16, 38), (235, 235, 235), 0.8)
    words = (("visible", State.VISIBLE), ("hidden", State.HIDDEN), ("feature missing", State.MISSING))
    for position, (word, state) in enumerate(words):
        _text(sheet, f"+ {word}", (260 + 170 * position, 38), _COLOUR[state], 0.7)
