"""What a small SAM is asked: which things of a scene, by which points or boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from training.sam_shapes import Image, Random

Prompt = Literal["point", "points", "box", "mask"]
KINDS: tuple[Prompt, ...] = get_args(Prompt)
_MOST_TOGETHER = 4  # things of one mask prompt
_BESIDE = 12  # px around a thing's box in which a point may lie that is not on it


@dataclass(frozen=True)
class Asked:
    """Of one image.

    Attributes:
        masks: what is meant, P times (S, S) uint8, 255 on it.
        points: (P, n, 2) float32 px; n is 0 where the prompt is of another kind.
        labels: (P, n) int64, 1 on what is meant, 0 beside it.
        boxes: (P, 4) float32, x and y of the first and of the last pixel.
    """

    masks: list[Image]
    points: NDArray[np.float32]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float32]


def prompts(rng: Random, masks: Image, kind: Prompt, count: int, box_jitter: float) -> Asked:
    """Ask ``count`` times for a thing of a scene with ``masks`` (M, S, S), by the same kind of prompt."""
    chosen = [masks[index] for index in _chosen(rng, len(masks), count)]
    if kind == "mask":
        chosen = [_together(rng, masks, mask) for mask in chosen]
    labels = {"point": (1,), "points": (1, 1, 0)}.get(kind, ())
    points = [[_point(rng, mask, label) for label in labels] for mask in chosen]
    return Asked(
        chosen,
        np.array(points, np.float32).reshape(count, len(labels), 2),
        np.tile(np.array(labels, np.int64), (count, 1)),
        np.stack([_box(rng, mask, box_jitter) for mask in chosen]),
    )


def _chosen(rng: Random, there: int, count: int) -> NDArray[np.int64]:
    """Each thing about as often as the others."""
    order = [rng.permutation(there) for _ in range(-(-count // there))]
    return np.concatenate(order)[:count].astype(np.int64)


def _together(rng: Random, masks: Image, mask: Image) -> Image:
    """One thing, or several of a scene at once: a dense prompt shows all that is wanted."""
    others = rng.permutation(len(masks))[: int(rng.integers(0, _MOST_TOGETHER))]
    return np.asarray(np.maximum.reduce([mask, *masks[others]]), np.uint8)


def _point(rng: Random, mask: Image, label: int) -> tuple[float, float]:
    """A pixel of the thing, or one beside it, in its surroundings."""
    rows, columns = np.nonzero(mask)
    if label == 0:
        left, top = (max(0, int(along.min()) - _BESIDE) for along in (columns, rows))
        right, bottom = (int(along.max()) + _BESIDE + 1 for along in (columns, rows))
        rows, columns = np.nonzero(mask[top:bottom, left:right] == 0)
        if not len(rows):
            return 0.0, 0.0
        rows, columns = rows + top, columns + left
    at = int(rng.integers(len(rows)))
    return float(columns[at]), float(rows[at])


def _box(rng: Random, mask: Image, jitter: float) -> NDArray[np.float32]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    corners = np.array((columns[0], rows[0], columns[-1], rows[-1]), np.float64)
    sides = np.tile(corners[2:] - corners[:2] + 1, 2)
    jittered = corners + rng.uniform(-jitter, jitter, 4) * sides
    return np.asarray(np.clip(jittered, 0, len(mask) - 1), np.float32)
