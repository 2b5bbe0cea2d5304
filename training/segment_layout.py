"""What a part looks like to those who must know where on it they are: its keypoints in a frame of its own."""

from __future__ import annotations

import numpy as np

from pipeline.part_pose import LEAST_KEYPOINTS, Found
from pipeline.similarity import LEAST_SPREAD_PX
from training.masks.sample import MaskedSet
from training.shapes import align

_MARGIN = 1.35  # a part reaches beyond its keypoints: the farthest of them lies at 1 / 1.35 of the frame


def learn_layout(images: MaskedSet) -> dict[str, tuple[float, float]]:
    """Where the keypoints of a set's parts lie in the parts' own frame, from -1 to 1: their mean shape.

    It is empty where no part has enough of them, apart from one another.
    """
    enough = [keypoints for keypoints in (_finite(one.keypoints) for one in images.images) if _tells(keypoints)]
    if not enough:
        return {}
    names = sorted(set().union(*enough))
    xy = np.full((len(enough), len(names), 2), np.nan)
    for row, found in zip(xy, enough, strict=True):
        for name, place in found.items():
            row[names.index(name)] = place
    mean, _ = align(np.nan_to_num(xy), np.isfinite(xy).all(axis=2))
    mean /= _MARGIN * np.abs(mean).max()
    return {name: (float(x), float(y)) for name, (x, y) in zip(names, mean.tolist(), strict=True)}


def _finite(keypoints: Found) -> Found:
    return {name: place for name, place in keypoints.items() if np.isfinite(place).all()}


def _tells(keypoints: Found) -> bool:
    return len(keypoints) >= LEAST_KEYPOINTS and np.std(list(keypoints.values()), axis=0).max() > LEAST_SPREAD_PX
