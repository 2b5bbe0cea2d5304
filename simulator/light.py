"""Illumination of the line: a gradient, a hot spot, and the shadows of what stands on the belt."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.scene import Scene

COARSE = 4  # light and shadow are smooth: they are worked out on every fourth pixel


def illumination(scene: Scene, width: int, height: int) -> NDArray[np.float32]:
    """Illumination on every fourth pixel, near 1: a gradient and a soft hot spot."""
    x = np.linspace(0.0, 1.0, width // COARSE, dtype=np.float32)[None, :]
    y = np.linspace(0.0, 1.0, height // COARSE, dtype=np.float32)[:, None]
    spot_x, spot_y, strength = scene.hot_spot
    fall_off = np.exp(-((x - spot_x) ** 2) / 0.12) * np.exp(-((y - spot_y) ** 2) / 0.12)
    plane = 1.0 + 2 * scene.gradient[0] * (x - 0.5) + 2 * scene.gradient[1] * (y - 0.5)
    return np.asarray(plane + strength * fall_off, dtype=np.float32)


def glint(steepness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Light from metal that slopes by ``steepness`` towards the lamp, 1 where it is level: diffuse, and a glint."""
    towards_lamp = np.maximum(steepness, 0.0)
    return np.asarray(1.0 + 0.5 * steepness + 0.9 * towards_lamp * towards_lamp, dtype=np.float32)


def unshadowed(
    at: tuple[int, int], solid: NDArray[np.uint8], scene: Scene, height_px: float, shape: tuple[int, ...], depth: float
) -> NDArray[np.float32]:
    """What is left of the light, on every fourth pixel, beside something that stands ``height_px`` above the belt."""
    if height_px <= 0.0:
        return np.ones((1, 1), np.float32)
    small = cv2.resize(solid, None, fx=1 / COARSE, fy=1 / COARSE, interpolation=cv2.INTER_AREA)
    fall = np.array(
        [
            [1.0, 0.0, (at[0] - height_px * scene.light[0]) / COARSE],
            [0.0, 1.0, (at[1] - height_px * scene.light[1]) / COARSE],
        ]
    )
    fallen = cv2.warpAffine(small, fall, (shape[1], shape[0]), flags=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(fallen, (0, 0), 0.6 + height_px / 14.0)
    return np.asarray(1.0 - soft.astype(np.float32) * (depth / 255.0), dtype=np.float32)
