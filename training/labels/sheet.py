"""Contact sheets: parts cut from their images, with their keypoints drawn and named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.camera.image_file import read_image
from pipeline.errors import DataError
from training.data import HIDDEN, VISIBLE, Part
from training.labels.captions import place
from training.near_duplicates import region_of_interest

TILE_WH = (400, 300)
COLUMNS = 4
MOST = 48
_TITLE = 16  # px high, at the bottom of a tile
_TEXT = 0.38  # times the font's own size
_BELOW = 4  # px that letters reach below their line
_FAR = 12  # px between a name and its point from which on a line leads to it
_MARGIN = 0.12  # of the region's larger side around it
_COLOURS = {VISIBLE: (80, 255, 80), HIDDEN: (0, 190, 255)}  # blue, green, red
_MISSING, _SUSPECT = (150, 150, 150), (60, 60, 255)
Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Tile:
    """One part of a sheet; ``suspect`` are keypoints that get a ring, ``title`` stands below."""

    part: Part
    title: str
    suspect: tuple[int, ...] = ()


def write_sheet(path: Path, tiles: Sequence[Tile], keypoints: Sequence[str]) -> None:
    """Write a PNG of up to MOST tiles: green is visible, orange hidden, grey missing, a red ring what is suspected.

    Raises:
        DataError: an image cannot be decoded, or the file cannot be written.
    """
    drawn = list(_drawn(tiles[:MOST], keypoints))
    while len(drawn) % COLUMNS:
        drawn.append(np.zeros_like(drawn[0]))
    rows = [np.hstack(drawn[first : first + COLUMNS]) for first in range(0, len(drawn), COLUMNS)]
    content = cv2.imencode(".png", np.vstack(rows))[1].tobytes()
    try:
        path.write_bytes(content)
    except OSError as problem:
        raise DataError(f"cannot be written ({problem.strerror})", where=str(path)) from None


def _drawn(tiles: Iterable[Tile], keypoints: Sequence[str]) -> Iterable[Picture]:
    held: tuple[Path, Picture] | None = None
    for tile in tiles:
        if held is None or held[0] != tile.part.image:
            held = tile.part.image, read_image(tile.part.image, colour=True, error=DataError)
        yield _tile(held[1], tile, keypoints)


def _tile(image: Picture, tile: Tile, keypoints: Sequence[str]) -> Picture:
    x, y, wide, high = region_of_interest(tile.part)
    margin = _MARGIN * max(wide, high)
    step = max((wide + 2 * margin) / TILE_WH[0], (high + 2 * margin) / TILE_WH[1])  # image px to a tile px
    corner = np.array([x + wide / 2, y + high / 2]) - np.array(TILE_WH) * step / 2  # corner convention
    picture = _cut(image, corner, step)
    points = (tile.part.xy_sensor_px + 0.5 - corner) / step - 0.5
    shown = [k for k, point in enumerate(points) if np.isfinite(point).all() and (np.abs(point) < 1e4).all()]
    places = [(round(float(points[k, 0])), round(float(points[k, 1]))) for k in shown]
    colours = [_COLOURS.get(int(tile.part.state[k]), _MISSING) for k in shown]
    for k, at, colour in zip(shown, places, colours, strict=True):
        _draw(picture, at, colour, k in tile.suspect)
    names = [keypoints[k][:20] for k in shown]
    corners = place(places, [_size(name) for name in names], (TILE_WH[0], TILE_WH[1] - _TITLE))
    for name, at, (left, top), colour in zip(names, places, corners, colours, strict=True):
        wide, high = _size(name)
        nearest = min(max(at[0], left), left + wide), min(max(at[1], top), top + high)
        if max(abs(nearest[0] - at[0]), abs(nearest[1] - at[1])) > _FAR:  # whose name it is would be a guess
            cv2.line(picture, at, nearest, colour, 1, cv2.LINE_AA)
        _write(picture, name, (left + 1, top + high - _BELOW), colour)
    cv2.rectangle(picture, (0, TILE_WH[1] - _TITLE), (TILE_WH[0] - 1, TILE_WH[1] - 1), (0, 0, 0), cv2.FILLED)
    _write(picture, tile.title[:66], (3, TILE_WH[1] - 4), (255, 255, 255))
    cv2.rectangle(picture, (0, 0), (TILE_WH[0] - 1, TILE_WH[1] - 1), (0, 0, 0), 1)
    return picture


def _cut(image: Picture, corner: NDArray[np.float64], step: float) -> Picture:
    """The tile's pixels; a large image is reduced by area first, so that nothing glitters."""
    factor = max(1, int(step))
    if factor > 1:
        whole = image[: image.shape[0] // factor * factor, : image.shape[1] // factor * factor]
        size = whole.shape[1] // factor, whole.shape[0] // factor
        image = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.uint8)
    scale = step / factor
    shift = corner / factor + 0.5 * scale - 0.5
    matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    return np.asarray(cv2.warpAffine(image, matrix, TILE_WH, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), np.uint8)


def _draw(picture: Picture, at: tuple[int, int], colour: tuple[int, int, int], suspect: bool) -> None:
    cv2.drawMarker(picture, at, (0, 0, 0), cv2.MARKER_CROSS, 13, 3)
    cv2.drawMarker(picture, at, colour, cv2.MARKER_CROSS, 11, 1)
    if suspect:
        cv2.circle(picture, at, 14, _SUSPECT, 2, cv2.LINE_AA)


def _size(text: str) -> tuple[int, int]:
    """Width and height in px of what `_write` draws, descenders and rim included."""
    (wide, high), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, _TEXT, 1)
    return wide + 2, high + _BELOW


def _write(picture: Picture, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    for thick, shade in ((3, (0, 0, 0)), (1, colour)):
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, _TEXT, shade, thick, cv2.LINE_AA)
