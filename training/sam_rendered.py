"""Rendered parts as scenes for a small SAM: the part is a thing, and so is every opening in it."""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np

from simulator.families import blueprint, families
from simulator.render import Occlusion, PartRenderer
from simulator.scene import sample_scene
from simulator.surface import PartSurface
from simulator.truth import PartTruth
from training.sam_shapes import LEAST_AREA_PX, Image, Random, SamScene, drawn_scene, put_on

FRAMES = 60  # how many parts there are; each is met in ever other cuts
_WIDTH, _HEIGHT = 1280, 1024


def any_scene(rng: Random, side: int, rendered: float) -> SamScene:
    """A rendered scene with the probability ``rendered``, else a drawn one."""
    return (rendered_scene if rng.random() < rendered else drawn_scene)(rng, side)


def rendered_scene(rng: Random, side: int) -> SamScene:
    """A cut of a rendered frame with things laid onto it, ``side`` px wide and high."""
    frame, part = _frame(int(rng.integers(FRAMES)))
    image, metal = _cut(rng, frame, part, side)
    masks = [metal, *_openings(metal)]
    return put_on(rng, image.astype(np.float32), [mask for mask in masks if np.count_nonzero(mask) >= LEAST_AREA_PX])


@cache
def _frame(index: int) -> tuple[Image, Image]:
    """A frame at half size, and the metal of the part on it, 255."""
    family = families()[index % len(families())]
    drawing, (renderer, painter, truth) = blueprint(family), _painters(family)
    image = renderer.render(index, occlusion=Occlusion.NONE).image
    scene = sample_scene(drawing, np.random.default_rng(index), Occlusion.NONE, width=_WIDTH, height=_HEIGHT)
    surface = painter.draw(scene, truth.box_px(scene))
    metal = np.zeros((_HEIGHT, _WIDTH), np.uint8)
    (x, y), (height, width) = surface.at, surface.solid.shape
    metal[y : y + height, x : x + width] = surface.solid
    half = _WIDTH // 2, _HEIGHT // 2
    small, part = (cv2.resize(each, half, interpolation=cv2.INTER_AREA) for each in (image, metal))
    return np.asarray(small, np.uint8), np.asarray(part, np.uint8)


@cache
def _painters(family: str) -> tuple[PartRenderer, PartSurface, PartTruth]:
    """What renders a family, what draws its metal, and what knows where it lies."""
    drawing = blueprint(family)
    renderer = PartRenderer(family, width=_WIDTH, height=_HEIGHT)
    return renderer, PartSurface(drawing, width=_WIDTH, height=_HEIGHT), PartTruth(drawing)


def _cut(rng: Random, frame: Image, part: Image, side: int) -> tuple[Image, Image]:
    """A random square of a frame, turned, between all of it and an eighth of its width; and the metal there, 0 or 255."""
    scale = side / _WIDTH * 2 * math.exp(rng.uniform(0.0, math.log(6)))
    rows, columns = np.nonzero(part > 127)
    at = int(rng.integers(len(rows)))
    matrix = cv2.getRotationMatrix2D((float(columns[at]), float(rows[at])), float(rng.uniform(0, 360)), scale)
    matrix[:, 2] += np.array((side / 2, side / 2)) - (columns[at], rows[at]) + rng.normal(0, side / 6, 2)
    image, metal = (
        cv2.warpAffine(each, matrix, (side, side), flags=cv2.INTER_AREA, borderMode=border)
        for each, border in ((frame, cv2.BORDER_REFLECT), (part, cv2.BORDER_REFLECT))
    )
    return np.asarray(image, np.uint8), np.where(np.asarray(metal) > 127, np.uint8(255), np.uint8(0))


def _openings(metal: Image) -> list[Image]:
    """What is enclosed by metal: holes and slots, each a mask."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.bitwise_not(metal), connectivity=4)
    side = len(metal)
    found = []
    for label in range(1, count):
        x, y, wide, high, area = stats[label].tolist()
        if area >= LEAST_AREA_PX and x > 0 and y > 0 and x + wide < side and y + high < side:
            found.append(np.where(labels == label, np.uint8(255), np.uint8(0)))
    return found
