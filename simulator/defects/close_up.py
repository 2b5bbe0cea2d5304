"""Defects as a person should look at them: each one enlarged, without and with the outline of its mask."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.defects.defect import Defect
from simulator.defects.mark import Kind

Colour = tuple[int, int, int]  # blue, green, red
Picture = NDArray[np.uint8]

COLOUR: dict[Kind, Colour] = {
    Kind.SCRATCH: (60, 220, 255),
    Kind.DENT: (255, 160, 60),
    Kind.STAIN: (120, 220, 60),
    Kind.BURR: (230, 90, 230),
}
_INK: Colour = (24, 24, 24)
SIDE = 252  # of one enlarged window
_SMALLEST_PX = 96  # of the image in a window
_PER_KIND = 8


def outline(picture: Picture, defect: Defect, corner: tuple[float, float], scale: float) -> None:
    """Draw the outline of a mask, just outside of it, in place.

    Args:
        picture: (H, W, 3) uint8, a window of the frame, enlarged or reduced.
        defect: of the frame.
        corner: (x, y) of the window's top left pixel in the frame.
        scale: pixels of the picture to one of the frame.
    """
    left, top = ((at - start) * scale for at, start in zip(defect.at, corner, strict=True))
    to_picture = np.array([[scale, 0.0, left + scale / 2 - 0.5], [0.0, scale, top + scale / 2 - 0.5]])
    size = (picture.shape[1], picture.shape[0])
    mask = cv2.warpAffine(defect.mask.astype(np.uint8), to_picture, size, flags=cv2.INTER_NEAREST)
    ring = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > mask
    picture[ring] = COLOUR[defect.kind]


def close_ups(frames: list[tuple[NDArray[np.uint8], tuple[Defect, ...]]], columns: int) -> Picture:
    """Up to eight defects of every kind from frames (image, defects), ``columns`` pairs in a row.

    Returns:
        (H, W, 3) uint8, blue, green, red.
    """
    pairs: list[Picture] = []
    for kind in Kind:
        of_kind = [(image, defect) for image, defects in frames for defect in defects if defect.kind is kind]
        pairs += [_pair(image, defect) for image, defect in of_kind[:_PER_KIND]]
    rows = max(1, -(-len(pairs) // columns))
    sheet = np.full((rows * (SIDE + 4), columns * (2 * SIDE + 8), 3), _INK, np.uint8)
    for number, pair in enumerate(pairs):
        row, column = divmod(number, columns)
        sheet[row * (SIDE + 4) :, column * (2 * SIDE + 8) :][:SIDE, : 2 * SIDE] = pair
    return sheet


def _pair(image: NDArray[np.uint8], defect: Defect) -> Picture:
    height, width = image.shape
    side = min(max(_SMALLEST_PX, round(1.25 * max(defect.mask.shape))), height, width)
    (x, y), (rows, columns) = defect.at, defect.mask.shape
    left = int(np.clip(x + columns // 2 - side // 2, 0, width - side))
    top = int(np.clip(y + rows // 2 - side // 2, 0, height - side))
    window = image[top : top + side, left : left + side]
    plain = cv2.cvtColor(cv2.resize(window, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2BGR)
    shown = np.asarray(plain, dtype=np.uint8).copy()
    outline(shown, defect, (left, top), SIDE / side)
    text = f"{defect.kind.value} {defect.area_px} px, {defect.levels:.0f} levels"
    shown[:20] = _INK
    cv2.putText(shown, text, (5, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, COLOUR[defect.kind], 1, cv2.LINE_AA)
    return np.concatenate([np.asarray(plain, dtype=np.uint8), shown], axis=1)
