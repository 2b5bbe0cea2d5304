"""Scenes that a small SAM learns from: things of no class on all sorts of ground, and the mask of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator import texture

Image = NDArray[np.uint8]
Grey = NDArray[np.float32]
Random = np.random.Generator
LEAST_AREA_PX = 16
_TEXT = "ABEFHKLMNPRSTVXYZ0123456789-+#/"


@dataclass(frozen=True)
class SamScene:
    """An image and the things on it.

    Attributes:
        image: (S, S) uint8.
        masks: (M, S, S) uint8, 255 on a thing; at least one, each of `LEAST_AREA_PX` or more. They may overlap: a thing, and
            the one that it lies on, and both together.
    """

    image: Image
    masks: Image


def drawn_scene(rng: Random, side: int) -> SamScene:
    """A textured ground with one to six things on it, through a lens onto a sensor; ``side`` px wide and high."""
    return put_on(rng, ground(rng, side), [])


def put_on(rng: Random, image: Grey, masks: list[Image]) -> SamScene:
    """Draw things onto an image (S, S) on which there may already be some, whose masks are given."""
    side = len(image)
    seen = list(masks)
    outer: Image | None = None  # what the next thing may lie on
    for _ in range(int(rng.integers(1, 7))):
        inside = outer if outer is not None and rng.random() < 0.35 else None
        thing = _thing(rng, side, inside)
        if np.count_nonzero(thing > 127) < LEAST_AREA_PX:
            continue
        laid = _laid(rng, image, thing)
        if not _shows(image, laid, thing):
            continue
        image = laid
        solid = np.where(thing > 127, np.uint8(255), np.uint8(0))
        covered = [cv2.bitwise_and(mask, cv2.bitwise_not(solid)) for mask in seen]
        if inside is not None:
            covered.append(cv2.bitwise_or(inside, solid))
        seen = [np.asarray(mask, np.uint8) for mask in covered]
        seen.append(solid)
        outer = solid
    kept = [mask for mask in seen if np.count_nonzero(mask) >= LEAST_AREA_PX]
    if not kept:  # nothing that can be seen: once more
        return put_on(rng, image, masks)
    return SamScene(_sensed(rng, image), np.stack(kept))


def ground(rng: Random, side: int) -> Grey:
    """A surface (side, side), float32 in grey levels: smooth, cloudy, brushed, woven, speckled, or of the simulated line."""
    kinds = (_flat, _clouds, _brushed, _woven, _speckled, _pooled, _pooled)
    rough = _unit(kinds[rng.integers(len(kinds))](rng, side))
    if rng.random() < 0.3:
        rough = rough + 0.5 * _unit(_clouds(rng, side))
    level, depth = rng.uniform(35, 215), math.exp(rng.uniform(math.log(1.5), math.log(32)))
    tilt = rng.uniform(-25, 25, 2) * (rng.random() < 0.6)
    along = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    lit = level + depth * rough + np.float32(tilt[0]) * along + np.float32(tilt[1]) * along[:, None]
    return np.asarray(lit, np.float32)


def _flat(rng: Random, side: int) -> Grey:
    return rng.standard_normal((side, side), np.float32)


def _clouds(rng: Random, side: int) -> Grey:
    out = np.zeros((side, side), np.float32)
    for octave in range(int(rng.integers(1, 5))):
        cells = max(2, int(rng.uniform(2, 10)) << octave)
        small = rng.standard_normal((cells, cells), np.float32)
        out += np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC), np.float32) / (1 + octave)
    return out


def _brushed(rng: Random, side: int) -> Grey:
    wide = side * 3 // 2
    noise = rng.standard_normal((wide, wide), np.float32)
    lines = cv2.GaussianBlur(noise, (0, 0), sigmaX=float(rng.uniform(4, 30)), sigmaY=float(rng.uniform(0.4, 1.2)))
    turn = cv2.getRotationMatrix2D((wide / 2, wide / 2), float(rng.uniform(0, 180)), 1.0)
    turn = np.add(turn, np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]) * (side - wide) / 2)
    return np.asarray(cv2.warpAffine(lines, turn, (side, side), borderMode=cv2.BORDER_REFLECT), np.float32)


def _woven(rng: Random, side: int) -> Grey:
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    angle, periods = rng.uniform(0, math.pi), rng.uniform(4, 40, 2)
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    first = np.sin((x * cos + y * sin) * np.float32(2 * math.pi / periods[0]))
    if rng.random() < 0.4:
        return np.asarray(np.sign(first) if rng.random() < 0.5 else first, np.float32)
    return np.asarray(first * np.sin((y * cos - x * sin) * np.float32(2 * math.pi / periods[1])), np.float32)


def _speckled(rng: Random, side: int) -> Grey:
    grains = cv2.GaussianBlur(rng.standard_normal((side, side), np.float32), (0, 0), float(rng.uniform(0.8, 4)))
    limit = np.float32(grains.std() * rng.uniform(0.8, 2.2))
    return np.asarray(grains > limit, np.float32) + 0.1 * rng.standard_normal((side, side), np.float32)


def _pooled(rng: Random, side: int) -> Grey:
    """A piece of a surface of the simulated line, at a random scale."""
    pools = (texture.belt, texture.brushed_metal, texture.fabric)
    pool = pools[rng.integers(len(pools))]()
    wide = int(rng.uniform(0.5, 2.5) * side)
    piece = np.ascontiguousarray(texture.cut(pool, rng, wide, wide))
    return np.asarray(cv2.resize(piece, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def _unit(grey: Grey) -> Grey:
    return np.asarray((grey - grey.mean()) / (grey.std() + 1e-6), np.float32)


def _thing(rng: Random, side: int, inside: Image | None) -> Image:
    """Where a thing is, (S, S) uint8 with soft edges; on ``inside`` if that is given."""
    size = side * math.exp(rng.uniform(math.log(0.025), math.log(0.55)))
    centre = rng.uniform(0.04, 0.96, 2) * side
    if inside is not None:
        rows, columns = np.nonzero(inside)
        at = int(rng.integers(len(rows)))
        centre = np.array((columns[at], rows[at]), np.float64)
        size = min(size, 0.5 * math.sqrt(len(rows)) + 4)
    cover = np.zeros((side, side), np.uint8)
    _SHAPES[rng.integers(len(_SHAPES))](rng, cover, (float(centre[0]), float(centre[1])), size)
    if inside is not None:
        cover = np.asarray(cv2.bitwise_and(cover, inside), np.uint8)
    return cover


def _polygon(rng: Random, cover: Image, centre: tuple[float, float], size: float) -> None:
    corners = int(rng.integers(3, 10))
    angle = np.sort(rng.uniform(0, 2 * math.pi, corners))
    radius = size / 2 * rng.uniform(0.35, 1.0, corners)
    _fill(cover, np.stack((np.cos(angle), np.sin(angle)), 1) * radius[:, None] + centre)


def _regular(rng: Random, cover: Image, centre: tuple[float, float], size: float) -> None:
    """A star, a gear, or a regular polygon."""
    corners = int(rng.integers(3, 9))
    angle = np.arange(2 * corners) * math.pi / corners + rng.uniform(0, 2 * math.pi)
    radius = np.where(np.arange(2 * corners) % 2, 1.0, rng.uniform(0.4, 1.0)) * size / 2
    _fill(cover, np.stack((np.cos(angle), np.sin(angle)), 1) * radius[:, None] + centre)


def _rectangle(rng: Random, cover: Image, centre: tuple[float, float], size: float) -> None:
    box = (centre, (max(size, 3.0), max(size * math.exp(rng.uniform(-2.0, 0.0)), 3.0)), float(rng.uniform(0, 180)))
    _fill(cover, np.asarray(cv2.boxPoints(box), np.float64))


def _ellipse(rng: Random, cover: Image, centre: tuple[float, float], size: float) -> None:
    axes = (max(size, 3.0), max(size * math.exp(rng.uniform(-1.4, 0.0)), 3.0))
    box = (centre, axes, float(rng.uniform(0, 180)))
    cv2.ellipse(cover, box, 255, -1, cv2.LINE_AA)
    if size > 14 and rng.random() < 0.2:  # a ring
        hole = rng.uniform(0.4, 0.8)
        cv2.ellipse(cover, (centre, (axes[0] * hole, axes[1] * hole), box[2]), 0, -1, cv2.LINE_AA)


def _blob(rng: Random, cover: Image, centre: tuple[float, float], size: float) -> None:
    """A stain: a round hill plus clouds, cut off at a level."""
    wide = max(8, round(size * 1.3))
    ramp = np.linspace(-1.0, 1.0, wide, dtype=np.float32)
    hill = 1.0 - 1.3 * np.sqrt(ramp**2 + ramp[:, None] ** 2)
    small = rng.standard_normal((5, 5), np.float32) * np.float32(rng.uniform(0.1, 0.6))
    hill = hill + np.asarray(cv2.resize(small, (wide, wide), interpolation=cv2.INTER_CUBIC), np.float32)
    stain = np.clip((hill - 0.25) * (wide / 3) + 0.5, 0, 1) * 255
    stain[[0, -1]] = stain[:, [0, -1]] = 0
    move = np.array([[1.0, 0.0, centre[0] - wide / 2], [0.0, 1.0, centre[1] - wide / 2]])
    cover[:] = cv2.warpAffine(stain.astype(np.uint8), move, cover.shape[::-1])


def _scratch(rng: Random, cover: Image, centre: tuple[float, float], size: float) -> None:
    """One to four strokes that run along one another."""
    angle, count = rng.uniform(0, 2 * math.pi), int(rng.choice((1, 1, 1, 2, 4)))
    for _ in range(count):
        bend = np.cumsum(rng.normal(0, 0.12, 8)) + angle
        steps = np.stack((np.cos(bend), np.sin(bend)), 1) * (max(size, 12) / 8)
        start = np.asarray(centre) - steps.sum(0) / 2 + rng.normal(0, 4, 2) * (count > 1)
        _stroke(cover, start + np.cumsum(steps, 0), _thin(rng))


def _crack(rng: Random, cover: Image, centre: tuple[float, float], size: float) -> None:
    """A jagged line of uneven width, with branches."""
    angle = rng.uniform(0, 2 * math.pi)
    start = np.asarray(centre) - np.array((math.cos(angle), math.sin(angle))) * size / 2
    width = _thin(rng)
    for branch in range(int(rng.integers(1, 4))):
        count = int(rng.integers(6, 24))
        turns = angle + rng.normal(0, 0.6, count)
        steps = np.stack((np.cos(turns), np.sin(turns)), 1) * (max(size, 16) / count / (1 + branch))
        points = start + np.cumsum(steps, 0)
        for piece in range(0, count - 1, 3):
            _stroke(cover, points[piece : piece + 4], max(1, width + int(rng.integers(-1, 2)) - (branch > 0)))
        start, angle = points[rng.integers(count)], angle + rng.choice((-1, 1)) * rng.uniform(0.4, 1.2)


def _writing(rng: Random, cover: Image, centre: tuple[float, float], size: float) -> None:
    letters = "".join(rng.choice(list(_TEXT), int(rng.integers(1, 6))))
    scale, face = max(0.5, size / 70), int(rng.choice((cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX)))
    thick = max(2, round(scale * rng.uniform(1.5, 4)))
    (wide, high), _ = cv2.getTextSize(letters, face, scale, thick)
    at = round(centre[0] - wide / 2), round(centre[1] + high / 2)
    cv2.putText(cover, letters, at, face, scale, 255, thick, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D(centre, float(rng.uniform(0, 360)), 1.0)
    cover[:] = cv2.warpAffine(cover, turn, cover.shape[::-1])


def _dots(rng: Random, cover: Image, centre: tuple[float, float], size: float) -> None:
    """Pits or drops close together: one thing."""
    for _ in range(int(rng.integers(2, 9))):
        x, y = np.asarray(centre) + rng.normal(0, size / 4, 2)
        cv2.circle(cover, (round(x * 16), round(y * 16)), round(rng.uniform(1.5, 5) * 16), 255, -1, cv2.LINE_AA, 4)


_SHAPES: tuple[Callable[[Random, Image, tuple[float, float], float], None], ...] = (
    _polygon,
    _regular,
    _rectangle,
    _ellipse,
    _ellipse,
    _blob,
    _blob,
    _scratch,
    _scratch,
    _crack,
    _crack,
    _writing,
    _dots,
)


def _thin(rng: Random) -> int:
    return int(rng.choice((2, 2, 3, 3, 4, 6)))


def _fill(cover: Image, corners: NDArray[np.float64]) -> None:
    cv2.fillPoly(cover, [np.rint(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)


def _stroke(cover: Image, points: NDArray[np.float64], width: int) -> None:
    cv2.polylines(cover, [np.rint(points * 16).astype(np.int32)], False, 255, width, cv2.LINE_AA, 4)


def _laid(rng: Random, image: Grey, thing: Image) -> Grey:
    """The image with a thing on it: of another level, of another surface, or pressed into it."""
    cover = thing.astype(np.float32) / 255
    if rng.random() < 0.4:
        cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), float(rng.uniform(0.4, 1.6))), np.float32)
    sign = -1.0 if rng.random() < 0.6 else 1.0
    change = np.float32(sign * math.exp(rng.uniform(math.log(10), math.log(110))))
    manner = rng.random()
    if manner < 0.5:
        return np.asarray(image + cover * change, np.float32)
    if manner < 0.75:
        other = ground(rng, len(image))
        if rng.random() < 0.5:  # of the same level: told by the texture alone, or nearly so
            other += np.float32(float(image[thing > 127].mean()) + change / 4) - np.float32(other[thing > 127].mean())
        return np.asarray(image + cover * (other - image), np.float32)
    soft = cv2.GaussianBlur(cover, (0, 0), float(rng.uniform(0.7, 3)))
    lamp = rng.uniform(0, 2 * math.pi)
    across = cv2.Sobel(soft, cv2.CV_32F, 1, 0, scale=math.cos(lamp) / 4)
    slope = np.add(across, cv2.Sobel(soft, cv2.CV_32F, 0, 1, scale=math.sin(lamp) / 4))
    return np.asarray(image + slope * (2.5 * abs(change)) + cover * (change / 6), np.float32)


def _shows(before: Grey, after: Grey, thing: Image) -> bool:
    """Whether a thing stands out of the roughness that it lies on: what nobody can see teaches nothing."""
    at = thing > 0
    strongest = float(np.percentile(np.abs(after[at] - before[at]), 90))
    return strongest > 8.0 and strongest > 1.2 * float(before[at].std())


def _sensed(rng: Random, image: Grey) -> Image:
    """Lens and sensor: some blur, contrast, noise."""
    if rng.random() < 0.4:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 1.2))), np.float32)
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0, 6))
    if rng.random() < 0.1:
        image = 255.0 - image
    return np.asarray(np.clip(image + noise, 0, 255).astype(np.uint8))
