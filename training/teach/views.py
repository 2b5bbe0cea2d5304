"""One view of a kept image for training: turned, scaled, moved, in another light, with something in the way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.teach.rendered_families import SIDE

Random = np.random.Generator
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class View:
    """An image (S, S) uint8, keypoints (K, 2) float32 in it, state (K,) int8, and the part's longest side in px."""

    image: Image
    xy_px: NDArray[np.float32]
    state: NDArray[np.int8]
    long_px: float


def drawn_view(
    rng: Random, image: Image, xy_px: NDArray[np.float32], state: NDArray[np.int8], long_px: float, side: int
) -> View:
    """A view by chance, ``side`` px wide."""
    scale = rng.uniform(0.5, 0.85) if rng.random() < 0.15 else rng.uniform(0.85, 1.3)
    stretch = rng.uniform(-0.08, 0.08, 2)
    turn = math.radians(rng.uniform(-12, 12))
    matrix = np.array(((math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn))))
    matrix = matrix @ np.array(((1 + stretch[0], stretch[1]), (0.0, 1 - stretch[0])))
    view = placed_view(image, xy_px, state, long_px, side, matrix * scale, rng.uniform(-0.08, 0.08, 2) * side)
    grey = view.image
    hidden = view.state
    if rng.random() < 0.3:
        grey, hidden = _covered(rng, grey, view.xy_px, hidden)
    return View(_lit(rng, grey), view.xy_px, hidden, view.long_px)


def placed_view(
    image: Image,
    xy_px: NDArray[np.float32],
    state: NDArray[np.int8],
    long_px: float,
    side: int,
    matrix: NDArray[np.float64],
    shift_px: NDArray[np.float64],
) -> View:
    """A kept image through a linear map around its middle, 1 for the whole of it, and a shift."""
    linear = matrix * (side / SIDE)
    offset = (side - 1) / 2 + shift_px - linear @ np.full(2, (SIDE - 1) / 2)
    warped = cv2.warpAffine(
        np.ascontiguousarray(image),
        np.column_stack((linear, offset)),
        (side, side),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    xy = (xy_px @ linear.T + offset).astype(np.float32)
    outside = ((xy < 0) | (xy > side - 1)).any(1)
    seen = np.where(outside & (state == 2), 1, state).astype(np.int8)
    return View(np.asarray(warped, np.uint8), xy, seen, float(long_px * math.sqrt(abs(np.linalg.det(linear)))))


def _covered(
    rng: Random, image: Image, xy_px: NDArray[np.float32], state: NDArray[np.int8]
) -> tuple[Image, NDArray[np.int8]]:
    """A stroke or a patch over part of the image; what it hides is hidden."""
    side = len(image)
    cover = np.zeros((side, side), np.uint8)
    centre = rng.uniform(0.2, 0.8, 2) * side
    if rng.random() < 0.5:
        along = rng.normal(0, side / 2, 2)
        ends = [np.rint(centre + sign * along).astype(int).tolist() for sign in (-1, 1)]
        cv2.line(cover, ends[0], ends[1], 255, int(rng.integers(5, 16)), cv2.LINE_AA)
    else:
        size = tuple(float(v) for v in rng.uniform(0.1, 0.3, 2) * side)
        box = ((float(centre[0]), float(centre[1])), size, float(rng.uniform(0, 180)))
        cv2.ellipse(cover, box, 255, -1, cv2.LINE_AA)
    grain = rng.normal(rng.uniform(20, 220), rng.uniform(2, 20), (side, side))
    share = cover / 255.0
    drawn = np.clip(image * (1 - share) + grain * share, 0, 255).astype(np.uint8)
    at = np.clip(np.rint(xy_px), 0, side - 1).astype(int)
    under = cv2.blur(cover, (5, 5))[at[:, 1], at[:, 0]] > 127
    return drawn, np.where(under & (state == 2), 1, state).astype(np.int8)


def _lit(rng: Random, image: Image) -> Image:
    """Another exposure, lens and sensor."""
    grey = image.astype(np.float32)
    if rng.random() < 0.5:
        low, high = rng.uniform(0, 60), rng.uniform(150, 255)
        least, most = np.percentile(grey, (1, 99.5))
        grey = (grey - least) / max(most - least, 12.0) * (high - low) + low
    grey = 255.0 * np.clip(grey / 255.0, 0, 1) ** np.float32(math.exp(rng.normal(0, 0.3)))
    if rng.random() < 0.08:
        grey = 255.0 - grey
    if rng.random() < 0.2:
        grey = cv2.GaussianBlur(grey, (0, 0), float(rng.uniform(0.3, 0.9)))
    noise = rng.standard_normal(grey.shape, np.float32) * np.float32(rng.uniform(0, 6))
    return np.asarray(np.clip(grey + noise, 0, 255), np.uint8)
