"""Layers of a part as small pictures of coverage and surface slope, drawn once from exact distances and then warped."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.parts import Blueprint, Layer, Process
from simulator.shape import Point, Shape

SPRITE_SCALE = 2.0  # sprite pixels to an image pixel
FLAT = 128  # the code of no slope; 127 codes either way are a slope of one

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Sprite:
    """One layer in its feature's frame.

    Attributes:
        pixels: (H, W, 4) uint8: paint (where slope and reflectance are replaced), solid (the shape), slope x, slope y.
        from_px: (3, 3) map from sprite pixel centres to millimetres in the feature's frame.
    """

    pixels: NDArray[np.uint8]
    from_px: Matrix
    process: Process
    gain: float


def base_sprite(blueprint: Blueprint) -> Sprite:
    """The plate with its outline, its embossed decoration and its marking, without any feature."""
    scale = blueprint.mm_per_px / SPRITE_SCALE
    x_mm, y_mm, from_px = _grid(blueprint.outline, (0.0, 0.0), margin_mm=6 * blueprint.mm_per_px, step_mm=scale)
    distance = blueprint.outline.distance_mm(x_mm, y_mm)
    slope_x, slope_y = _edge(distance, scale, Process.ADD, blueprint.edge)
    for layer in blueprint.decoration:
        shape = layer.shape.distance_mm(x_mm, y_mm)
        dx, dy = _edge(shape, scale, layer.process, layer.edge)
        slope_x, slope_y = slope_x + dx, slope_y + dy
    dx, dy = _marking(blueprint, from_px, distance.shape)
    solid = _cover(distance, blueprint.mm_per_px)
    pixels = _encode(np.ones_like(distance), solid, slope_x + dx, slope_y + dy)
    return Sprite(pixels, from_px, Process.ADD, gain=1.0)


def layer_sprite(blueprint: Blueprint, at: Point, layer: Layer) -> Sprite:
    """One layer of a feature whose origin is nominally at ``at`` (mm in the part's frame)."""
    scale = blueprint.mm_per_px / SPRITE_SCALE
    margin = 2 * layer.edge + 4 * blueprint.mm_per_px
    x_mm, y_mm, from_px = _grid(layer.shape, (0.0, 0.0), margin_mm=margin, step_mm=scale)
    distance = layer.shape.distance_mm(x_mm, y_mm)
    slope_x, slope_y = _edge(distance, scale, layer.process, layer.edge)
    reach = 0.0 if layer.process is Process.ADD else 1.5 * layer.edge
    paint = _cover(distance - reach, blueprint.mm_per_px)
    if layer.flush:
        plate = blueprint.outline.distance_mm(x_mm + at[0], y_mm + at[1])
        paint *= np.clip(1.0 + (plate + blueprint.edge) / (2 * scale), 0.0, 1.0)
    return Sprite(
        _encode(paint, _cover(distance, blueprint.mm_per_px), slope_x, slope_y), from_px, layer.process, layer.gain
    )


def _grid(shape: Shape, at: Point, *, margin_mm: float, step_mm: float) -> tuple[Matrix, Matrix, Matrix]:
    outline = shape.outline_mm()
    low = outline.min(axis=0) + at - margin_mm
    count = np.ceil((outline.max(axis=0) + at + margin_mm - low) / step_mm).astype(int) + 1
    x_mm, y_mm = (low[axis] + step_mm * np.arange(count[axis]) for axis in (0, 1))
    from_px = np.array([[step_mm, 0.0, low[0]], [0.0, step_mm, low[1]], [0.0, 0.0, 1.0]])
    return x_mm, y_mm, from_px


def _cover(distance_mm: Matrix, aperture_mm: float) -> Matrix:
    """Share of an *image* pixel inside the shape, for every sprite pixel.

    The ramp is one image pixel wide, so that samples one image pixel apart add up to the true place of an edge at every
    phase; a ramp of one sprite pixel would shift edges that run along the rows by up to a quarter of a pixel.
    """
    return np.clip(0.5 - distance_mm / aperture_mm, 0.0, 1.0)


def _edge(distance_mm: Matrix, step_mm: float, process: Process, edge_mm: float) -> tuple[Matrix, Matrix]:
    """Slope of a rounded edge. The slope vector points downhill."""
    grad_y, grad_x = np.gradient(distance_mm, step_mm)
    if process is Process.ADD:  # falls off towards the outside
        profile = np.clip(1.0 + distance_mm / edge_mm, 0.0, 1.0) ** 1.5
    elif process is Process.CUT:  # falls off into the hole
        profile = -(np.clip(1.0 - distance_mm / edge_mm, 0.0, 1.0) ** 1.5)
    else:
        sign = 1.0 if process is Process.EMBOSS else -1.0
        profile = sign * 0.8 * np.exp(-((distance_mm / edge_mm) ** 2))
    return profile * grad_x, profile * grad_y


def _marking(blueprint: Blueprint, from_px: Matrix, shape: tuple[int, ...]) -> tuple[Matrix, Matrix]:
    """Stamped characters: a blurred height picture and its slope."""
    height = np.zeros(shape, np.uint8)
    if blueprint.marking:
        at = np.linalg.inv(from_px) @ (*blueprint.marking_at, 1.0)
        origin = (round(float(at[0])), round(float(at[1])))
        cv2.putText(height, blueprint.marking, origin, cv2.FONT_HERSHEY_DUPLEX, 1.5, (255,), 4, cv2.LINE_AA)
    smooth = cv2.GaussianBlur(height.astype(np.float32) / 255, (0, 0), 1.6)
    grad_y, grad_x = np.gradient(smooth)
    return 2.2 * grad_x, 2.2 * grad_y


def _encode(paint: Matrix, solid: Matrix, slope_x: Matrix, slope_y: Matrix) -> NDArray[np.uint8]:
    slopes = [FLAT + 127.0 * np.clip(slope, -1.0, 1.0) for slope in (slope_x, slope_y)]
    planes = [255.0 * paint, 255.0 * solid, *slopes]
    pixels: NDArray[np.uint8] = np.rint(np.stack(planes, axis=-1)).astype(np.uint8)
    return pixels
