"""The part of one frame as a defect meets it: lit metal, how it leans, and what of it the camera sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.occluder import Occluder
from simulator.scene import Scene
from simulator.surface import Surface

REACH = 24  # px around the part's window, for what sticks out of its outline

Box = tuple[int, int, int, int]  # left, top, right, bottom in px of the image; right and bottom are beyond
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Workpiece:
    """A window of the image around the part, before occluders, lens and sensor.

    Attributes:
        box: the window.
        picture: (h, w) uint8, belt and metal without any defect.
        metal: (h, w) float32, lit metal in grey levels, 0 beside the part.
        steepness: (h, w) float32, slope of the surface towards the lamp.
        solid: (h, w) float32, share of metal in the pixel, 0..1.
        seen: (h, w) float32, share of the pixel that no occluder covers.
        light: (h, w) float32, illumination, near 1.
        scene: lamp, lens and sensor of the frame.
    """

    box: Box
    picture: NDArray[np.uint8]
    metal: Floats
    steepness: Floats
    solid: Floats
    seen: Floats
    light: Floats
    scene: Scene

    def cut(self, plane: NDArray[Any], box: Box) -> NDArray[Any]:
        """A view of the part of a plane of the window that lies in ``box``, which lies in the window."""
        left, top = self.box[:2]
        return plane[box[1] - top : box[3] - top, box[0] - left : box[2] - left]

    def clipped(self, box: Box) -> Box | None:
        """What of a box lies in the window; None if that is nothing."""
        left, top = max(box[0], self.box[0]), max(box[1], self.box[1])
        right, bottom = min(box[2], self.box[2]), min(box[3], self.box[3])
        return (left, top, right, bottom) if left < right and top < bottom else None


def workpiece(
    scene: Scene,
    surface: Surface,
    metal: Floats,
    steepness: Floats,
    light: Floats,
    picture: NDArray[np.uint8],
    occluders: list[Occluder],
) -> Workpiece:
    """Cut the window out of a frame.

    Args:
        scene: of the frame.
        surface: of the part, in its own window.
        metal: lit metal in the surface's window, (h, w) grey levels.
        steepness: slope towards the lamp in the surface's window.
        light: illumination of the whole image, (H, W).
        picture: the whole image, (H, W), without occluders.
        occluders: what lies on the part.
    """
    (x, y), (h, w) = surface.at, surface.solid.shape
    height, width = picture.shape
    box = (max(0, x - REACH), max(0, y - REACH), min(width, x + w + REACH), min(height, y + h + REACH))
    whole = np.s_[box[1] : box[3], box[0] : box[2]]

    def grown(plane: NDArray[Any]) -> Floats:
        result = np.zeros((box[3] - box[1], box[2] - box[0]), np.float32)
        result[y - box[1] : y - box[1] + h, x - box[0] : x - box[0] + w] = plane
        return result

    seen = np.ones(picture.shape, np.float32)
    for occluder in occluders:
        (left, top), (rows, columns) = occluder.at, occluder.cover.shape
        seen[top : top + rows, left : left + columns] *= 1.0 - occluder.cover.astype(np.float32) / 255
    return Workpiece(
        box=box,
        picture=picture[whole].copy(),
        metal=grown(np.minimum(metal, 255.0)),
        steepness=grown(steepness),
        solid=np.asarray(grown(surface.solid) / 255, dtype=np.float32),
        seen=seen[whole],
        light=light[whole],
        scene=scene,
    )
