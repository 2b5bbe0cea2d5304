"""Surfaces of a simulated line: belt, brushed metal, glove, sensor noise.

Each pool is drawn once a process and then cut at random places: a frame costs no fresh random numbers.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

NOISE_STEPS = 30  # int8 steps of the noise pool per standard deviation
_SEED = 20240607  # the pools are the same in every process, so that a frame depends on its seed alone


@cache
def belt() -> NDArray[np.uint8]:
    """A woven conveyor belt with stains and scuffs, uint8 (1792, 2048), mean near 55 grey levels."""
    rng = np.random.default_rng([_SEED, 1])
    height, width = 1792, 2048
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    bend = 2.5 * _cloud(rng, height, width, 64)
    weave = np.sin((x + bend) * (2 * np.pi / 11.0)) * np.sin((y + bend) * (2 * np.pi / 8.0))
    weave *= 1.0 + 0.3 * _cloud(rng, height, width, 96)
    grain = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (0, 0), 0.8)
    wear = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (0, 0), sigmaX=120.0, sigmaY=5.0)
    grey = 54.0 + 6.0 * weave + 5.0 * grain + 2.5 * wear / wear.std()
    grey += 1.5 * _cloud(rng, height, width, 14) + 4.0 * _cloud(rng, height, width, 160)
    grey += _scratches(rng, height, width, count=220, length=(20, 160), levels=(-9, 12), across=False)
    return _to_uint8(grey)


@cache
def brushed_metal() -> NDArray[np.uint8]:
    """Rolled and brushed sheet, grain along x, uint8 (1536, 1792); 128 is the mean reflectance."""
    rng = np.random.default_rng([_SEED, 2])
    height, width = 1536, 1792
    lines = np.zeros((height, width), np.float32)
    for length, weight in ((9.0, 0.8), (45.0, 1.0)):
        noise = rng.standard_normal((height, width), dtype=np.float32)
        streak = cv2.GaussianBlur(noise, (0, 0), sigmaX=length, sigmaY=0.7)
        lines += weight * streak / streak.std()
    grey = 128.0 + 4.2 * lines + 5.0 * _cloud(rng, height, width, 24) + 5.0 * _cloud(rng, height, width, 128)
    grey += _scratches(rng, height, width, count=260, length=(15, 140), levels=(-16, 16), across=True)
    for _ in range(120):  # handling marks: small dull spots
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        spot = np.zeros((61, 61), np.float32)
        cv2.circle(spot, (30, 30), int(rng.integers(2, 9)), float(rng.uniform(-14, 6)), -1, cv2.LINE_AA)
        _add_at(grey, np.asarray(cv2.GaussianBlur(spot, (0, 0), 3.0), dtype=np.float32), centre)
    return _to_uint8(grey)


@cache
def fabric() -> NDArray[np.uint8]:
    """Knitted glove and plain soft surfaces, uint8 (768, 768); 128 is the mean reflectance."""
    rng = np.random.default_rng([_SEED, 3])
    y, x = np.mgrid[0:768, 0:768].astype(np.float32)
    knit = np.sin(x * 1.05 + 1.2 * np.sin(y * 0.5)) * np.cos(y * 0.8)
    grain = cv2.GaussianBlur(rng.standard_normal((768, 768), dtype=np.float32), (0, 0), 1.2)
    return _to_uint8(128.0 + 9.0 * knit + 30.0 * grain + 12.0 * _cloud(rng, 768, 768, 20))


@cache
def noise() -> NDArray[np.int8]:
    """Normal noise, int8 (2304, 2560), `NOISE_STEPS` to a standard deviation."""
    rng = np.random.default_rng([_SEED, 4])
    steps = rng.standard_normal((2304, 2560), dtype=np.float32) * NOISE_STEPS
    pool: NDArray[np.int8] = np.clip(np.rint(steps), -127, 127).astype(np.int8)
    pool.setflags(write=False)
    return pool


def cut(
    pool: NDArray[np.uint8] | NDArray[np.int8], rng: np.random.Generator, height: int, width: int
) -> NDArray[np.uint8] | NDArray[np.int8]:
    """A random window of a pool, flipped at random in both directions; a view, not a copy."""
    top = int(rng.integers(pool.shape[0] - height + 1))
    left = int(rng.integers(pool.shape[1] - width + 1))
    flip_y, flip_x = (int(step) for step in rng.choice((-1, 1), 2))
    window = pool[top : top + height, left : left + width]
    return window[::flip_y, ::flip_x]


def _cloud(rng: np.random.Generator, height: int, width: int, scale: int) -> NDArray[np.float32]:
    """Smooth noise of unit deviation whose features are about ``scale`` px wide."""
    small = rng.standard_normal((height // scale + 3, width // scale + 3), dtype=np.float32)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray((large - large.mean()) / large.std(), dtype=np.float32)


def _scratches(
    rng: np.random.Generator,
    height: int,
    width: int,
    *,
    count: int,
    length: tuple[int, int],
    levels: tuple[int, int],
    across: bool,
) -> NDArray[np.float32]:
    canvas = np.zeros((height, width), np.float32)
    for _ in range(count):
        start = rng.uniform((0, 0), (width, height))
        angle = rng.uniform(0, np.pi) if across else rng.normal(0, 0.15)
        end = start + rng.uniform(*length) * np.array((np.cos(angle), np.sin(angle)))
        first, last = ([int(v * 16) for v in point] for point in (start, end))
        cv2.line(canvas, first, last, float(rng.uniform(*levels)), 1, cv2.LINE_AA, shift=4)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 0.7), dtype=np.float32)


def _add_at(canvas: NDArray[np.float32], spot: NDArray[np.float32], centre: tuple[int, int]) -> None:
    half = spot.shape[0] // 2
    left, top = centre[0] - half, centre[1] - half
    if left >= 0 and top >= 0 and left + spot.shape[1] <= canvas.shape[1] and top + spot.shape[0] <= canvas.shape[0]:
        canvas[top : top + spot.shape[0], left : left + spot.shape[1]] += spot


def _to_uint8(grey: NDArray[np.float32]) -> NDArray[np.uint8]:
    pool: NDArray[np.uint8] = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    pool.setflags(write=False)
    return pool
