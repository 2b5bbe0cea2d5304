"""Where in an image the part may lie: all directions and a range of sizes, on small images of edges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.geometry import Matrix, compose, invert, resize
from training.matching.edges import Edges, edges
from training.matching.example import Example
from training.matching.pyramid import Pyramid

EXTENT = 64.0  # px of the part's longer side
STEP_DEG = 7.5
SIZE_STEP = 1.15
_APART_DEG, _APART = 20.0, 0.1  # of two candidates: turn, or shift in shares of the extent


@dataclass(frozen=True, slots=True)
class Pose:
    """One place.

    Attributes:
        image_from_example: (3, 3), turns, moves and scales.
        score: agreement of the edges, 1 at most.
    """

    image_from_example: Matrix
    score: float


@dataclass(frozen=True, slots=True)
class _Template:
    edges: Edges  # weighted so that an equal image scores 1
    from_example: Matrix
    turn_deg: float


class PoseSearch:
    """Finds candidates for the pose of one example's part."""

    def __init__(self, example: Example, *, rotation_deg: float = 180.0, size: float = 1.15) -> None:
        """Draw the templates.

        Args:
            example: the marked photograph.
            rotation_deg: how far a part may be turned either way, 0 to 180.
            size: how much larger or smaller it may be, 1 or more.
        """
        self._scale = min(EXTENT / example.extent_px, 1.0)
        steps = round(min(rotation_deg, 180.0) / STEP_DEG)
        turns = [index * STEP_DEG for index in range(-steps, steps + 1)][: round(360 / STEP_DEG)]
        count = round(np.log(size) / np.log(SIZE_STEP))
        sizes = [SIZE_STEP**index for index in range(-count, count + 1)]
        self._extent_px = example.extent_px
        self._centre_px = example.centre_px
        self._templates = [_template(example, turn, self._scale * factor) for turn in turns for factor in sizes]

    def find(self, image: Pyramid, most: int) -> list[Pose]:
        """The ``most`` best poses that differ, best first."""
        small_from_image = resize(self._scale, self._scale)
        wh = (max(1, round(image.wh[0] * self._scale)), max(1, round(image.wh[1] * self._scale)))
        found = edges(image.view(small_from_image, wh))
        image_from_small = invert(small_from_image)
        ranked: list[tuple[Pose, float]] = []
        for template in self._templates:
            high, wide = template.edges.shape[:2]
            pad_y, pad_x = high // 2, wide // 2  # a part may reach out of the image
            padded = cv2.copyMakeBorder(found, pad_y, pad_y, pad_x, pad_x, cv2.BORDER_CONSTANT)
            if padded.shape[0] < high or padded.shape[1] < wide:
                continue
            agreement = cv2.matchTemplate(padded, template.edges, cv2.TM_CCORR)
            score, (x, y) = cv2.minMaxLoc(agreement)[1], cv2.minMaxLoc(agreement)[3]
            shift = np.array([[1.0, 0.0, x - pad_x], [0.0, 1.0, y - pad_y], [0.0, 0.0, 1.0]])
            matrix = compose(image_from_small, shift, template.from_example)
            ranked.append((Pose(matrix, float(score)), template.turn_deg))
        ranked.sort(key=lambda entry: -entry[0].score)
        return self._distinct(ranked, most)

    def _distinct(self, ranked: list[tuple[Pose, float]], most: int) -> list[Pose]:
        kept: list[tuple[Pose, float]] = []
        for pose, turn in ranked:
            if not any(self._alike(pose, turn, other, other_turn) for other, other_turn in kept):
                kept.append((pose, turn))
            if len(kept) == most:
                break
        return [pose for pose, _ in kept]

    def _alike(self, pose: Pose, turn: float, other: Pose, other_turn: float) -> bool:
        between = abs((turn - other_turn + 180.0) % 360.0 - 180.0)
        centre = np.append(self._centre_px, 1.0)
        apart = (pose.image_from_example @ centre - other.image_from_example @ centre)[:2]
        return between < _APART_DEG and float(np.hypot(*apart)) < _APART * self._extent_px


def _template(example: Example, turn_deg: float, scale: float) -> _Template:
    """The region turned and reduced, its edges weighted by the mask; cut to where the mask is."""
    side = int(np.ceil(float(np.hypot(*(example.high - example.low))) * scale)) + 3
    turn = np.radians(turn_deg)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    x, y = example.centre_px
    middle = (side - 1) / 2
    matrix = np.array(
        [[cos, -sin, middle - cos * x + sin * y], [sin, cos, middle - sin * x - cos * y], [0.0, 0.0, 1.0]]
    )
    grey = example.view(matrix, (side, side))
    mask = example.mask(matrix, (side, side)).astype(np.float32) / 255.0
    shown = np.asarray(edges(grey) * mask[..., None], np.float32)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    cut = shown[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    weight = float(np.sqrt((cut**2).sum(-1)).sum())
    back = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])
    return _Template(np.asarray(cut / max(weight, 1e-6), np.float32), compose(back, matrix), turn_deg)
