"""The part as the camera meets it, before light: which pixels are metal and how their surface leans."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.parts import Blueprint, Feature, Process
from simulator.scene import Scene
from simulator.shape import Point
from simulator.sprite import FLAT, Matrix, Sprite, base_sprite, layer_sprite

GAIN_ONE = 100  # the code of a reflectance gain of one
_EMPTY = (0.0, 0.0, float(FLAT), float(FLAT))


@dataclass(frozen=True)
class Surface:
    """A window of the image that holds the part.

    Attributes:
        at: (x, y) of the window's top left pixel in the image.
        solid: (h, w) uint8, share of metal in the pixel times 255.
        slope_x, slope_y: (h, w) uint8 in the *part's* frame, `sprite.FLAT` is level.
        gain: (h, w) uint8, reflectance times `GAIN_ONE`.
    """

    at: tuple[int, int]
    solid: NDArray[np.uint8]
    slope_x: NDArray[np.uint8]
    slope_y: NDArray[np.uint8]
    gain: NDArray[np.uint8]


def part_to_image(scene: Scene, mm_per_px: float) -> Matrix:
    """Map (3, 3) from millimetres in the part's frame to pixel centres of the image."""
    turn = math.radians(scene.rotation_deg)
    cos, sin = math.cos(turn) / mm_per_px, math.sin(turn) / mm_per_px
    return np.array([[cos, -sin, scene.centre_px[0]], [sin, cos, scene.centre_px[1]], [0.0, 0.0, 1.0]])


def origin_mm(feature: Feature, scene: Scene) -> Point:
    """Where a feature's origin is on this very part."""
    dx, dy = scene.shifts.get(feature.name, (0.0, 0.0))
    return feature.at[0] + dx, feature.at[1] + dy


class PartSurface:
    """Draws the surface of one family. The sprites are made once; a frame only warps them."""

    def __init__(self, blueprint: Blueprint, *, width: int, height: int) -> None:
        self._blueprint, self._width, self._height = blueprint, width, height
        self._base = base_sprite(blueprint)
        self._made = [[layer_sprite(blueprint, f.at, layer) for layer in f.layers] for f in blueprint.features]
        self._not_made = [[layer_sprite(blueprint, f.at, layer) for layer in f.missing] for f in blueprint.features]

    def draw(self, scene: Scene, box_xywh_px: tuple[float, float, float, float]) -> Surface:
        """The surface within the part's box, grown to multiples of 4 px and clipped to the image."""
        x, y, w, h = box_xywh_px
        left, top = (max(0, math.floor(v) - 6) // 4 * 4 for v in (x, y))
        right = min(self._width, -(-(math.ceil(x + w) + 7) // 4) * 4)
        bottom = min(self._height, -(-(math.ceil(y + h) + 7) // 4) * 4)
        to_window = _moved(-left, -top) @ part_to_image(scene, self._blueprint.mm_per_px)
        base = _warp(self._base, to_window, (right - left, bottom - top))
        solid, slope_x, slope_y = (np.ascontiguousarray(base[..., plane]) for plane in (1, 2, 3))
        surface = Surface((left, top), solid, slope_x, slope_y, np.full_like(solid, GAIN_ONE))
        for feature, made, not_made in zip(self._blueprint.features, self._made, self._not_made, strict=True):
            to_feature = to_window @ _moved(*origin_mm(feature, scene))
            for sprite in not_made if feature.name in scene.missing else made:
                _blend(surface, sprite, to_feature)
        return surface


def _blend(surface: Surface, sprite: Sprite, to_window: Matrix) -> None:
    """Lay one sprite over the surface, within the sprite's own small window."""
    height, width = sprite.pixels.shape[:2]
    rim = np.array([[0, width - 1, 0, width - 1], [0, 0, height - 1, height - 1], [1, 1, 1, 1]])
    corners = to_window @ sprite.from_px @ rim
    left, top = (max(0, math.floor(v)) for v in corners[:2].min(axis=1))
    right = min(surface.solid.shape[1], math.ceil(corners[0].max()) + 1)
    bottom = min(surface.solid.shape[0], math.ceil(corners[1].max()) + 1)
    if right <= left or bottom <= top:
        return
    window = np.s_[top:bottom, left:right]
    drawn = _warp(sprite, _moved(-left, -top) @ to_window, (right - left, bottom - top))
    solid = surface.solid[window]
    if sprite.process is Process.ADD:
        np.maximum(solid, drawn[..., 1], out=solid)
    elif sprite.process is Process.CUT:
        solid[:] = cv2.multiply(solid, 255 - drawn[..., 1], scale=1 / 255)
    paint = drawn[..., 0].astype(np.float32) / 255
    for plane, target in ((surface.slope_x, drawn[..., 2]), (surface.slope_y, drawn[..., 3])):
        part = plane[window].astype(np.float32)
        part += (target - part) * paint
        plane[window] = np.rint(part)
    if sprite.gain != 1.0:
        gain = surface.gain[window].astype(np.float32)
        gain += (sprite.gain * GAIN_ONE - gain) * paint
        surface.gain[window] = np.rint(gain)


def _warp(sprite: Sprite, to_window: Matrix, size: tuple[int, int]) -> NDArray[np.uint8]:
    matrix = (to_window @ sprite.from_px)[:2]
    warped = cv2.warpAffine(sprite.pixels, matrix, size, flags=cv2.INTER_LINEAR, borderValue=_EMPTY)
    return np.asarray(warped, dtype=np.uint8)


def _moved(x: float, y: float) -> Matrix:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
