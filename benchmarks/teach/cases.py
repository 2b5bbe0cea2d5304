"""What is asked: a support image with its points, and images of the same kind of part with the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from simulator.families import families
from simulator.render import Occlusion, PartRenderer, frame_seed
from training.data import Part
from training.keypoint_words.grammar import KeypointName, described
from training.labels.coco import read_coco
from training.teach.rendered_families import cut_part, rendered_families
from training.teach.views import View, placed_view

SIDE = 128
FIRST = 5_000_000  # seed of the first family that nothing is ever taught on
FAMILIES, FRAMES = 40, 8
_SEED = 71
_HAND_MADE_FRAMES = 6
_SUPPORTS, _PHOTOS = 4, 24  # photographs that points are marked on, and objects that are then looked for, by chance


@dataclass(frozen=True)
class Case:
    """A support image and the images that its points are looked for in. Images are (SIDE, SIDE) uint8.

    Attributes:
        names, words: of the points where they have any: names that are right, and what a person says for each.
        part: the word for the part, or empty.
    """

    support: View
    queries: tuple[View, ...]
    names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    part: str = ""


def drawn_cases(count: int = FAMILIES) -> Iterator[Case]:
    """Families of seeds that no training draws: one image with its points, seven to find them in, two of them covered."""
    kept = rendered_families(FIRST, FAMILIES, FRAMES)
    for family in range(count):
        rng = np.random.default_rng([_SEED, family])
        names: tuple[KeypointName, ...] = kept.names[family]
        views = []
        for frame in range(FRAMES):
            view = kept.images[family, frame], kept.xy_px[family, frame], kept.state[family, frame]
            seen = View(*view, float(kept.long_px[family, frame]))
            views.append(_jittered(rng, _first(seen, len(names))))
        words = tuple(described(rng, name) for name in names)
        yield Case(views[0], tuple(views[1:]), tuple(map(str, names)), words, kept.parts[family])


def hand_made_cases(frames: int = _HAND_MADE_FRAMES) -> Iterator[Case]:
    """The six families of `datumd render`, which are more than the drawn ones: teeth, hooks, knuckles, rows of pins."""
    for number, family in enumerate(families()):
        rng = np.random.default_rng([_SEED, 1000 + number])
        renderer = PartRenderer(family)
        views = []
        for frame in range(frames):
            drawn = renderer.render(frame_seed(FIRST + number, frame), occlusion=Occlusion.SPARSE)
            image, xy_px, long_px = cut_part(drawn.image, drawn.xy_sensor_px, drawn.box_xywh_sensor_px)
            views.append(_jittered(rng, View(image, xy_px.astype(np.float32), drawn.state, long_px)))
        yield Case(views[0], tuple(views[1:]))


def photo_cases(folder: Path) -> Iterator[Case]:
    """Labelled photographs, each object cut out around its box; each case has one of them as its support."""
    parts = read_coco(folder / "annotations.json", folder / "images").parts
    rng = np.random.default_rng([_SEED, 2000])
    views = [_photo_view(parts[index], rng) for index in rng.permutation(len(parts))[: _SUPPORTS + _PHOTOS]]
    for support in views[:_SUPPORTS]:
        yield Case(support, tuple(views[_SUPPORTS:]))


def _photo_view(part: Part, rng: np.random.Generator) -> View:
    read = cv2.imread(str(part.image), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if read is None:
        raise DataError("cannot be read as an image", where=str(part.image))
    x, y, w, h = part.box
    image, xy_px, long_px = cut_part(np.asarray(read, np.uint8), part.xy_sensor_px, (x - 0.5, y - 0.5, w, h))
    return _jittered(rng, View(image, xy_px.astype(np.float32), part.state, long_px))


def _first(view: View, keypoints: int) -> View:
    return View(view.image, view.xy_px[:keypoints], view.state[:keypoints], view.long_px)


def _jittered(rng: np.random.Generator, view: View) -> View:
    """The region is found with errors: up to 15% of the size, 6% of the place."""
    matrix = np.eye(2) * rng.uniform(0.85, 1.15)
    shift: NDArray[np.float64] = rng.uniform(-0.06, 0.06, 2) * SIDE
    return placed_view(view.image, view.xy_px, view.state, view.long_px, SIDE, matrix, shift)
