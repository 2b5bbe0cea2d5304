"""Things in the way of the camera: cables, gloved fingers, grippers, oil, labels, tape. Drawn in image pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator import texture

_SHIFT = 4
_UNIT = 1 << _SHIFT
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Occluder:
    """A painted window: ``cover`` uint8 0..255 and ``grey`` uint8, both (h, w), top left corner at ``at`` (x, y)."""

    at: tuple[int, int]
    cover: NDArray[np.uint8]
    grey: NDArray[np.uint8]
    height_px: float  # above the part: how far its shadow falls


def sample_occluder(
    rng: np.random.Generator, centre_px: tuple[float, float], light: tuple[float, float], shape: tuple[int, int]
) -> Occluder | None:
    """One occluder over ``centre_px``, lit from ``light``; None if it lies outside the image of ``shape`` (h, w)."""
    draw = _KINDS[int(rng.integers(len(_KINDS)))]
    return draw(rng, np.asarray(centre_px), np.asarray(light), shape)


def _cable(rng: np.random.Generator, centre: Floats, light: Floats, shape: tuple[int, int]) -> Occluder | None:
    """A round cable right through the picture: nested strokes, brighter towards the lamp."""
    radius = rng.uniform(9, 22)
    path = _wandering_line(rng, centre, reach=float(max(shape)), bend=0.5)
    canvas = _Canvas.around(path, radius + 3, shape)
    if canvas is None:
        return None
    canvas.stroke(canvas.cover, path, radius, 255)
    across = rng.uniform(18, 150)
    gloss = rng.uniform(25, 100)
    for share in (1.0, 0.85, 0.7, 0.55, 0.4, 0.25, 0.12):
        offset = light * radius * 0.5 * (1 - share)
        canvas.stroke(
            canvas.grey, path + offset, radius * share, across * (0.45 + 0.55 * (1 - share)) + gloss * (1 - share) ** 3
        )
    return canvas.finish(rng, roughness=0.25, height_px=radius * 0.8)


def _finger(rng: np.random.Generator, centre: Floats, light: Floats, shape: tuple[int, int]) -> Occluder | None:
    """A gloved hand that reaches in from one side with one to three fingers."""
    radius = rng.uniform(30, 50)
    angle = rng.uniform(0, 2 * math.pi)
    along, across = _direction(angle), _direction(angle + math.pi / 2)
    count = int(rng.integers(1, 4))
    fingers = []
    for index in range(count):
        root = centre + along * rng.uniform(-30, 50) + across * 2.05 * radius * (index - (count - 1) / 2)
        knuckle = root + along * 170 + across * rng.uniform(-12, 12)
        fingers.append(np.stack([root, knuckle, knuckle + along * 220 + across * rng.uniform(-25, 25)]))
    broad = max(1.08 * count, 2.3) * radius
    palm = np.stack([centre + along * (300 + 0.7 * broad), centre + along * 1700])
    canvas = _Canvas.around(np.concatenate([*fingers, palm]), broad + 3, shape)
    if canvas is None:
        return None
    grey = rng.uniform(60, 215)
    for path, size in ((palm, broad), *((finger, radius) for finger in fingers)):
        canvas.stroke(canvas.cover, path, size, 255)
        for share in np.linspace(1.0, 0.1, 9):
            level = grey * (0.5 + 0.5 * math.sqrt(1 - share**2 * 0.9))
            canvas.stroke(canvas.grey, path + light * size * 0.3 * (1 - share), size * float(share), level)
    return canvas.finish(rng, roughness=0.55, height_px=20.0)


def _gripper(rng: np.random.Generator, centre: Floats, light: Floats, shape: tuple[int, int]) -> Occluder | None:
    """A machined jaw with a chamfer and two screws."""
    angle = rng.uniform(0, 2 * math.pi)
    along, across = _direction(angle), _direction(angle + math.pi / 2)
    half = rng.uniform(35, 65)
    tip, far = centre - along * rng.uniform(10, 50), centre + along * 1700

    def jaw(inset: float) -> Floats:
        width = half - inset
        return np.stack(
            [
                tip + along * inset - across * width * 0.7,
                tip + along * inset + across * width * 0.7,
                tip + along * (half * 0.5) + across * width,
                far + across * width,
                far - across * width,
                tip + along * (half * 0.5) - across * width,
            ]
        )

    canvas = _Canvas.around(jaw(0.0), 3, shape)
    if canvas is None:
        return None
    grey = rng.uniform(35, 185)
    canvas.fill(canvas.cover, jaw(0.0), 255)
    canvas.fill(canvas.grey, jaw(0.0), grey * 0.55)
    canvas.fill(canvas.grey, jaw(4.0) + light * 2.0, min(255.0, grey * 1.35))
    canvas.fill(canvas.grey, jaw(5.0), grey)
    for step in (0.9, 2.6):
        screw = tip + along * half * step + along * 12
        for radius, level in ((half * 0.27, grey * 0.4), (half * 0.22, grey * 0.8), (half * 0.1, grey * 0.25)):
            canvas.stroke(canvas.grey, np.stack([screw, screw]), radius, level)
    return canvas.finish(rng, roughness=0.35, height_px=26.0)


def _oil(rng: np.random.Generator, centre: Floats, light: Floats, shape: tuple[int, int]) -> Occluder | None:
    """A puddle: dark, lobed, with a bright rim towards the lamp."""
    turn = np.linspace(0, 2 * math.pi, 72, endpoint=False)
    size = rng.uniform(38, 85)
    radius = np.full_like(turn, size)
    for lobe in range(2, 7):
        radius += size * rng.normal(0, 0.27 / lobe) * np.cos(lobe * turn + rng.uniform(0, 6.3))
    radius = np.maximum(radius, 0.35 * size)
    ring = np.stack([np.cos(turn) * rng.uniform(0.8, 1.3), np.sin(turn)], axis=1) * radius[:, None]
    blob = centre + ring
    canvas = _Canvas.around(blob, 4, shape)
    if canvas is None:
        return None
    grey = rng.uniform(14, 42)
    canvas.fill(canvas.cover, blob, 255)
    canvas.fill(canvas.grey, blob, grey * 1.4)
    canvas.fill(canvas.grey, centre + ring * 0.95 + light * 2.5, rng.uniform(90, 200))
    canvas.fill(canvas.grey, centre + ring * 0.95 - light * 1.5, grey)
    for _ in range(int(rng.integers(1, 4))):
        glint = centre + light * size * rng.uniform(0.2, 0.5) + rng.normal(0, size * 0.12, 2)
        ends = np.stack([glint, glint + _direction(rng.uniform(0, 6.3)) * rng.uniform(2, 14)])
        canvas.stroke(canvas.grey, ends, rng.uniform(2, 5), rng.uniform(110, 230))
    return canvas.finish(rng, roughness=0.15, height_px=0.0)


def _label(rng: np.random.Generator, centre: Floats, light: Floats, shape: tuple[int, int]) -> Occluder | None:
    """A paper label with lines of print and a bar code, or a strip of plain tape."""
    del light  # paper is matt
    angle = rng.uniform(0, 2 * math.pi)
    along, across = _direction(angle), _direction(angle + math.pi / 2)
    half_x, half_y = rng.uniform(55, 105), rng.uniform(30, 60)
    centre = centre + along * rng.uniform(-0.5, 0.5) * half_x + across * rng.uniform(-0.5, 0.5) * half_y

    def panel(x0: float, y0: float, x1: float, y1: float) -> Floats:
        corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
        return np.stack([centre + along * x * half_x + across * y * half_y for x, y in corners])

    canvas = _Canvas.around(panel(-1, -1, 1, 1), 3, shape)
    if canvas is None:
        return None
    paper = rng.uniform(150, 240)
    canvas.fill(canvas.cover, panel(-1, -1, 1, 1), 255)
    canvas.fill(canvas.grey, panel(-1, -1, 1, 1), paper)
    if rng.random() < 0.75:
        ink = paper * rng.uniform(0.15, 0.4)
        x = -0.85
        while x < 0.85:
            bar = rng.uniform(0.02, 0.06)
            canvas.fill(canvas.grey, panel(x, -0.1, x + bar, 0.8), ink)
            x += bar + rng.uniform(0.025, 0.07)
        for row in (-0.75, -0.45):
            canvas.fill(canvas.grey, panel(-0.85, row, rng.uniform(0.0, 0.8), row + 0.16), ink)
    return canvas.finish(rng, roughness=0.2, height_px=2.0)


_KINDS: tuple[Callable[[np.random.Generator, Floats, Floats, tuple[int, int]], Occluder | None], ...] = (
    _cable,
    _cable,
    _finger,
    _gripper,
    _oil,
    _oil,
    _label,
)


@dataclass(frozen=True)
class _Canvas:
    """A window of the image to draw in; points are given in image pixels."""

    at: tuple[int, int]
    cover: NDArray[np.uint8]
    grey: NDArray[np.uint8]

    @staticmethod
    def around(points: Floats, margin: float, shape: tuple[int, int]) -> _Canvas | None:
        left, top = np.maximum(np.floor(points.min(axis=0) - margin).astype(int), 0)
        right, bottom = np.minimum(np.ceil(points.max(axis=0) + margin).astype(int) + 1, (shape[1], shape[0]))
        if right - left < 2 or bottom - top < 2:
            return None
        size = (bottom - top, right - left)
        return _Canvas((int(left), int(top)), np.zeros(size, np.uint8), np.zeros(size, np.uint8))

    def fill(self, plane: NDArray[np.uint8], points: Floats, level: float) -> None:
        cv2.fillPoly(plane, [self._fixed(points)], (level,), cv2.LINE_AA, _SHIFT)

    def stroke(self, plane: NDArray[np.uint8], path: Floats, radius: float, level: float) -> None:
        thickness = max(1, round(2 * radius))
        cv2.polylines(
            plane,
            [self._fixed(path)],
            isClosed=False,
            color=(level,),
            thickness=thickness,
            lineType=cv2.LINE_AA,
            shift=_SHIFT,
        )

    def finish(self, rng: np.random.Generator, *, roughness: float, height_px: float) -> Occluder:
        """Give the painted surface its texture."""
        height, width = self.cover.shape
        pool = texture.fabric()
        top, left = (int(v) for v in rng.integers(0, 256, 2))
        tiled = cv2.copyMakeBorder(pool, 0, max(0, height + top - 768), 0, max(0, width + left - 768), cv2.BORDER_WRAP)
        grain = tiled[top : top + height, left : left + width]
        # grey · (1 + roughness · (grain - 128) / 128)
        factor = cv2.addWeighted(grain, roughness, grain, 0.0, 128.0 * (1.0 - roughness))
        grey = cv2.multiply(self.grey, factor, scale=1.0 / 128.0)
        return Occluder(self.at, self.cover, np.asarray(grey, dtype=np.uint8), height_px)

    def _fixed(self, points: Floats) -> NDArray[np.int32]:
        fixed: NDArray[np.int32] = np.rint((points - self.at) * _UNIT).astype(np.int32)
        return fixed.reshape(-1, 1, 2)


def _wandering_line(rng: np.random.Generator, centre: Floats, *, reach: float, bend: float) -> Floats:
    """A smooth curve of 2·reach px through ``centre``."""
    angle = rng.uniform(0, 2 * math.pi)
    along, across = _direction(angle), _direction(angle + math.pi / 2)
    t = np.linspace(-1, 1, 48)
    sway = rng.normal(0, bend * 0.25) * t**2 + rng.normal(0, bend * 0.25) * t**3 + rng.normal(0, 0.02) * np.sin(7 * t)
    return centre + reach * (t[:, None] * along + sway[:, None] * across)


def _direction(angle: float) -> Floats:
    return np.array((math.cos(angle), math.sin(angle)))
