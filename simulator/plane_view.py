"""What a camera with a known lens sees of a flat picture in a known plane: exact, for whatever is measured in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.plane_map import PlaneMap

_CELL_PX = 16  # between the points that are mapped exactly; what lies between is interpolated, to 1e-4 px
_OVERSAMPLED = 3  # looks into each pixel along a row
_MARGIN = 2  # cells around the image that cubic interpolation reads
_FAR_TEXELS = -1e4
_PREFILTER_PX = 0.4  # standard deviation; sharper edges than looks are apart would be seen in steps of a third of a px


@dataclass(frozen=True, slots=True)
class FlatPicture:
    """Something flat with exact measures.

    Attributes:
        levels: uint8 (H, W).
        mm_per_texel: its scale.
        corner_mm: x, y in the plane of the upper left corner of its first texel.
    """

    levels: NDArray[np.uint8]
    mm_per_texel: float
    corner_mm: tuple[float, float] = (0.0, 0.0)


def see(
    plane: PlaneMap,
    picture: FlatPicture,
    image_wh: tuple[int, int],
    *,
    around: float = 60.0,
    blur_px: float = 0.6,
) -> NDArray[np.float32]:
    """The picture as the camera sees it, without noise: grey levels, float32 (H, W).

    Args:
        plane: the lens, and where the plane lies that the picture lies in.
        picture: what lies there, in texels of half a px or less.
        image_wh: of the sensor, px.
        around: grey level of all that is not the picture.
        blur_px: standard deviation of the lens's blur, before the pixels' squares average; 0.4 px come on top.
    """
    width, height = image_wh
    maps = _texels(plane, picture, image_wh)
    levels = cv2.GaussianBlur(picture.levels.astype(np.float32), (0, 0), _PREFILTER_PX * _texels_a_px(maps, picture))
    fine = cv2.remap(
        levels,
        maps[0],
        maps[1],
        interpolation=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(around,),
    )
    if blur_px > 0.0:
        fine = cv2.GaussianBlur(fine, (0, 0), blur_px * _OVERSAMPLED, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def exposed(
    levels: NDArray[np.float32], noise: float, rng: np.random.Generator, gain: float = 1.0
) -> NDArray[np.uint8]:
    """A frame of a sensor: levels times gain, with normal noise of this standard deviation, rounded to 8 bits."""
    noisy = levels * np.float32(gain) + rng.standard_normal(levels.shape, np.float32) * np.float32(noise)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _texels(plane: PlaneMap, picture: FlatPicture, image_wh: tuple[int, int]) -> list[NDArray[np.float32]]:
    """Which texel each look into each pixel sees: two maps, x and y."""
    (columns, places_x), (rows, places_y) = (_nodes(size) for size in image_wh)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1)
    mm = plane.to_mm(grid.reshape(-1, 2)).reshape(grid.shape)
    texels = (mm - picture.corner_mm) / picture.mm_per_texel - 0.5
    lost = np.isnan(texels).any(axis=2)
    texels[lost] = _FAR_TEXELS
    across, down = _cubic(places_x, len(columns)), _cubic(places_y, len(rows))
    maps = [(down @ texels[:, :, axis].astype(np.float32)) @ across.T for axis in (0, 1)]
    if lost.any():  # the sky beyond the plane, and what interpolation would smear of it
        marks = np.where(lost, np.uint8(1), np.uint8(0))
        wide = np.asarray(cv2.dilate(marks, np.ones((5, 5), np.uint8)), np.float32)
        blind = (down @ wide) @ across.T > 0.0
        for one in maps:
            one[blind] = _FAR_TEXELS
    return maps


def _texels_a_px(maps: list[NDArray[np.float32]], picture: FlatPicture) -> float:
    """Texels a px where the picture is seen smallest; 1 where nothing of it is."""
    height, width = picture.levels.shape
    seen = (maps[0] > 0) & (maps[0] < width) & (maps[1] > 0) & (maps[1] < height)
    steps = [np.hypot(np.diff(maps[0], axis=axis), np.diff(maps[1], axis=axis)) for axis in (0, 1)]
    both = [step[seen[1:] & seen[:-1] if axis == 0 else seen[:, 1:] & seen[:, :-1]] for axis, step in enumerate(steps)]
    return max((float(np.percentile(step, 95)) * _OVERSAMPLED for step in both if step.size), default=1.0)


def _nodes(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Along one side: the px that are mapped exactly, and where among them each look into each pixel lies."""
    count = -(-size // _CELL_PX) + 1 + 2 * _MARGIN
    nodes = np.arange(-_MARGIN, count - _MARGIN, dtype=np.float64) * _CELL_PX
    looks = (np.arange(size * _OVERSAMPLED) + 0.5) / _OVERSAMPLED - 0.5
    return nodes, np.asarray(looks / _CELL_PX + _MARGIN)


def _cubic(places: NDArray[np.float64], count: int) -> NDArray[np.float32]:
    """Weights (places, count) of interpolation by the cubic through the four nearest nodes (Lagrange)."""
    first = np.clip(np.floor(places).astype(int) - 1, 0, count - 4)
    t = places - first
    weights = np.zeros((len(places), count), np.float32)
    rows = np.arange(len(places))
    for node in range(4):
        others = [other for other in range(4) if other != node]
        weight = np.prod([(t - other) / (node - other) for other in others], axis=0)
        weights[rows, first + node] = weight
    return weights
