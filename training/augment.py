"""What a training picture is varied by: pose, light, lens, sensor and things in the way."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import geometry
from training.method import Augment

Image = NDArray[np.uint8]
Affine = NDArray[np.float64]  # (2, 3), target_from_source, pixel centres
STILL = Augment(rotation_deg=0.0, scale=0.0, shift=0.0)  # no change of pose
_DISC = np.array([(x, y) for x in np.linspace(-1, 1, 9) for y in np.linspace(-1, 1, 9) if x * x + y * y <= 1.0])


def similarity(rotation_deg: float, scale: float, centre: tuple[float, float], to: tuple[float, float]) -> Affine:
    """target_from_source that turns (clockwise as seen) and scales about ``centre``, which lands on ``to``."""
    turn = math.radians(rotation_deg)
    cos, sin = scale * math.cos(turn), scale * math.sin(turn)
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack((linear, np.asarray(to) - linear @ np.asarray(centre)))


def mapped(matrix: Affine, xy: NDArray[np.floating]) -> NDArray[np.float64]:
    """Points (..., 2) through an affine map."""
    return np.asarray(xy @ matrix[:, :2].T + matrix[:, 2], np.float64)


def composed(c_from_b: Affine, b_from_a: Affine) -> Affine:
    """c_from_a of two affine maps (2, 3)."""
    linear = c_from_b[:, :2] @ b_from_a[:, :2]
    return np.column_stack((linear, c_from_b[:, :2] @ b_from_a[:, 2] + c_from_b[:, 2]))


def inverted(b_from_a: Affine) -> Affine:
    """a_from_b of an affine map (2, 3)."""
    linear = np.linalg.inv(b_from_a[:, :2])
    return np.column_stack((linear, -linear @ b_from_a[:, 2]))


def mirrored(axis: str, wh: tuple[int, int]) -> Affine:
    """The map of an image of ``wh`` px that changes left and right ("x") or top and bottom ("y"), (2, 3)."""
    flip = geometry.flip_x(wh[0]) if axis == "x" else geometry.flip_y(wh[1])
    return np.asarray(flip[:2], np.float64)


def draw_similarity(
    rng: np.random.Generator,
    augment: Augment,
    centre: tuple[float, float],
    to: tuple[float, float],
    extent: tuple[float, float],
    scale: float,
) -> Affine:
    """A random pose around the plain crop: ``scale`` and ``centre`` ▸ ``to`` are those of the crop, ``extent`` its size."""
    shift = rng.uniform(-augment.shift, augment.shift, 2) * extent
    return similarity(
        rng.uniform(-augment.rotation_deg, augment.rotation_deg),
        scale * math.exp(rng.uniform(-augment.scale, augment.scale)),
        centre,
        (to[0] + shift[0], to[1] + shift[1]),
    )


def stretches(rng: np.random.Generator, tilt: float, count: int) -> NDArray[np.float64]:
    """Linear maps (count, 2, 2) of determinant 1: a flat part seen from aside, by up to exp(``tilt``) in any direction."""
    direction, by = rng.uniform(0.0, math.pi, count), np.exp(rng.uniform(0.0, tilt, count))
    along = np.stack((np.cos(direction), np.sin(direction)), axis=1)
    projected = along[:, :, None] * along[:, None, :]
    return np.asarray(np.eye(2) / by[:, None, None] + projected * (by - 1 / by)[:, None, None])


def erase(rng: np.random.Generator, image: Image, size: tuple[float, float]) -> NDArray[np.uint8]:
    """Lay one opaque convex or round thing over the image, in place.

    ``image`` is (H, W), ``size`` the least and largest side in px.

    Returns:
        uint8 (H, W), 1 where it covers.
    """
    height, width = image.shape
    sides = np.exp(rng.uniform(np.log(size[0]), np.log(size[1]), 2))
    centre = rng.uniform((0, 0), (width, height))
    angle = float(rng.uniform(0, 180))
    cover = np.zeros((height, width), np.uint8)
    box = ((float(centre[0]), float(centre[1])), (float(sides[0]), float(sides[1])), angle)
    if rng.random() < 0.5:
        cv2.fillConvexPoly(cover, np.rint(cv2.boxPoints(box)).astype(np.int32), 1)
    else:
        cv2.ellipse(cover, box, 1, -1)
    grey, texture = float(rng.uniform(5, 250)), float(rng.uniform(0, 25))
    step = int(rng.integers(1, 7))
    grain = rng.normal(grey, texture, (height // step + 1, width // step + 1))
    fill = cv2.resize(np.clip(grain, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(fill, cover, image)
    return cover


def covered(cover: NDArray[np.uint8], xy: NDArray[np.floating], radius: float) -> NDArray[np.bool_]:
    """Which points (K, 2) have more than half of the disc of ``radius`` px around them covered; (K,)."""
    at = np.rint(xy[:, None] + _DISC * radius).astype(np.int64)
    inside = ((at >= 0) & (at < (cover.shape[1], cover.shape[0]))).all(2)
    at = np.clip(at, 0, (cover.shape[1] - 1, cover.shape[0] - 1))
    return np.asarray((cover[at[..., 1], at[..., 0]] * inside).mean(1) > 0.5)


def relit(rng: np.random.Generator, image: Image, augment: Augment, *, noise: float) -> Image:
    """Contrast, brightness, blur and sensor noise; ``noise`` is the largest deviation in grey levels."""
    if augment.blur_px and rng.random() < 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.2, 1.0) * augment.blur_px + 0.1), np.uint8)
    gain = math.exp(rng.uniform(-augment.contrast, augment.contrast))
    level = float(image.mean())
    out = (image.astype(np.float32) - level) * gain + (level + rng.uniform(-1, 1) * augment.brightness)
    out += rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0, noise))
    return np.asarray(np.clip(out, 0, 255).astype(np.uint8))
