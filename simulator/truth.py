"""What is true about a rendered part: where its keypoints are, which of them can be seen, and its box."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from simulator.parts import Blueprint, Process
from simulator.scene import Scene
from simulator.surface import origin_mm, part_to_image


class State(IntEnum):
    """State of a keypoint."""

    MISSING = 0  # its feature was not made
    HIDDEN = 1  # less than half of its patch is seen
    VISIBLE = 2


class PartTruth:
    """Answers for one family, from geometry alone."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        self._outline = _dense(blueprint.outline.outline_mm(), blueprint.mm_per_px / 2)
        self._broken = {
            feature.name: np.any(
                [layer.shape.contains(self._outline - feature.at) for layer in feature.missing], axis=0
            )
            for feature in blueprint.features
            if feature.missing
        }

    def keypoints_mm(self, scene: Scene) -> dict[str, NDArray[np.float64]]:
        """Position (2,) of every keypoint on this very part in mm, made or not."""
        return {
            keypoint.name: np.add(origin_mm(feature, scene), keypoint.at)
            for feature in self._blueprint.features
            for keypoint in feature.keypoints
        }

    def keypoints_px(self, scene: Scene) -> NDArray[np.float64]:
        """Position of every keypoint in the image, (K, 2), pixel centres."""
        return _mapped(scene, self._blueprint, np.stack(list(self.keypoints_mm(scene).values())))

    def box_px(self, scene: Scene) -> tuple[float, float, float, float]:
        """Extremes x, y, width, height of the outline with all pins and tabs that were made; pixel centres."""
        whole = np.ones(len(self._outline), bool)
        for name, broken in self._broken.items():
            if name in scene.missing:
                whole &= ~broken
        points = [self._outline[whole]]
        for feature in self._blueprint.features:
            if feature.name not in scene.missing:
                added = [layer.shape.outline_mm() for layer in feature.layers if layer.process is Process.ADD]
                points += [outline + origin_mm(feature, scene) for outline in added]
        xy = _mapped(scene, self._blueprint, np.concatenate(points))
        low, high = xy.min(axis=0), xy.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])

    def states(self, scene: Scene, xy_px: NDArray[np.float64], cover: NDArray[np.uint8]) -> NDArray[np.int8]:
        """State (K,) of each keypoint, where ``cover`` (H, W) is 255 for what an occluder hides."""
        result = []
        points = iter(xy_px)
        for feature in self._blueprint.features:
            for keypoint in feature.keypoints:
                seen = _seen_share(next(points), keypoint.radius / self._blueprint.mm_per_px, cover)
                found = State.VISIBLE if seen >= 0.5 else State.HIDDEN
                result.append(State.MISSING if feature.name in scene.missing else found)
        return np.array(result, np.int8)

    def dimensions(self, scene: Scene) -> dict[str, float]:
        """True dimensions of this very part; those of missing features are left out."""
        xy_mm = self.keypoints_mm(scene)
        owner = {k.name: feature.name for feature in self._blueprint.features for k in feature.keypoints}
        return {
            dimension.name: dimension.value(xy_mm)
            for dimension in self._blueprint.dimensions
            if not any(owner[name] in scene.missing for name in dimension.points)
        }


def _seen_share(xy_px: NDArray[np.float64], radius_px: float, cover: NDArray[np.uint8]) -> float:
    """Share of the disc around a keypoint that lies within the image and is not covered."""
    height, width = cover.shape
    span = np.arange(-int(radius_px) - 1, int(radius_px) + 2)
    x, y = np.rint(xy_px[0]) + span, np.rint(xy_px[1]) + span
    disc = np.hypot(x[None, :] - xy_px[0], y[:, None] - xy_px[1]) <= radius_px
    columns, rows = (x >= 0) & (x < width), (y >= 0) & (y < height)
    if not columns.any() or not rows.any():
        return 0.0
    inside = disc[np.ix_(rows, columns)]
    hidden = cover[np.ix_(y[rows].astype(int), x[columns].astype(int))][inside] / 255.0
    return float((inside.sum() - hidden.sum()) / disc.sum())


def _mapped(scene: Scene, blueprint: Blueprint, xy_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = part_to_image(scene, blueprint.mm_per_px)
    return np.asarray(xy_mm @ matrix[:2, :2].T + matrix[:2, 2])


def _dense(outline: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    pieces = []
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        count = max(1, round(float(np.hypot(*(end - start))) / step))
        pieces.append(start + np.linspace(0.0, 1.0, count, endpoint=False)[:, None] * (end - start))
    return np.concatenate(pieces)
