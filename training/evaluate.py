"""A recipe's view on a labelled set: located, predicted and thresholded as it ships, then compared with the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.geometry import Points, Region
from pipeline.result import KeypointState
from pipeline.stages.visibility import visibility
from pipeline.thresholds import Thresholds
from training.canvas import overlap, read_grey
from training.data import Dataset, Part
from training.score import Scored
from training.shipped import ShippedView

JITTER_PX = 6.0
Locate = Callable[[NDArray[np.uint8]], Sequence[Region]]


@dataclass(frozen=True)
class Case:
    """One annotated part that was found, for the contact sheet; positions (K, 2) and errors (K,) in sensor px."""

    part: Part
    coarse_sensor_px: Points
    refined_sensor_px: Points
    refined_px: NDArray[np.float64]
    reported: NDArray[np.bool_]


def evaluate(
    view: ShippedView,
    thresholds: Thresholds,
    locate: Locate,
    dataset: Dataset,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Scored, list[Case]]:
    """Run a view over every image of a set.

    ``locate`` gives the regions of one grey image (H, W), as the recipe's locate stage does; ``seed`` is that of the
    jitter, normal with 6 px on each axis, that replaces the first network in ``jittered_px``; ``progress`` is called
    with images done and their count.

    Raises:
        DataError: an image cannot be read.
    """
    rng = np.random.default_rng(seed)
    rows: list[Sequence[NDArray[np.generic]]] = []
    cases = []
    lost = 0
    count = len(dataset.images)
    for done, (_, group) in enumerate(groupby(dataset.parts, key=lambda part: part.image), start=1):
        parts = list(group)
        image = read_grey(parts[0])
        regions = list(locate(image))
        predictions = view.predict(image, regions)
        for part, index in zip(parts, matched([part.box for part in parts], regions), strict=True):
            if index is None:
                lost += 1
                continue
            found = predictions[index]
            states = visibility(found.logits, view.keypoints, thresholds).states
            reported = np.array([state is KeypointState.visible for state in states])
            starts = part.xy_sensor_px + rng.normal(0.0, JITTER_PX, part.xy_sensor_px.shape)
            starts = np.where(np.isfinite(starts), starts, found.coarse_sensor_px)
            jittered = view.refine_from(image, regions[index], starts)
            coarse_px, refined_px, jittered_px = (
                np.hypot(*(xy - part.xy_sensor_px).T)
                for xy in (found.coarse_sensor_px, found.refined_sensor_px, jittered)
            )
            margin = (found.logits[:, 0] - found.logits[:, 1]).astype(np.float64)
            rows.append(
                (coarse_px, refined_px, jittered_px, margin, reported, part.state, np.array(np.hypot(*part.box[2:])))
            )
            cases.append(Case(part, found.coarse_sensor_px, found.refined_sensor_px, refined_px, reported))
        if progress:
            progress(done, count)
    return _stacked(rows, len(view.keypoints), lost), cases


def matched(
    boxes: Sequence[tuple[float, float, float, float]], regions: Sequence[tuple[float, float, float, float]]
) -> list[int | None]:
    """For each annotated box the region that overlaps it most, no region twice; None where none overlaps."""
    overlaps = np.array([[overlap(box, region) for region in regions] for box in boxes]).reshape(len(boxes), -1)
    found: list[int | None] = [None] * len(boxes)
    while overlaps.size and overlaps.max() > 0:
        box, region = np.unravel_index(int(overlaps.argmax()), overlaps.shape)
        found[int(box)] = int(region)
        overlaps[box], overlaps[:, region] = 0.0, 0.0
    return found


def _stacked(rows: Sequence[Sequence[NDArray[np.generic]]], keypoints: int, lost: int) -> Scored:
    if not rows:
        none = np.zeros((0, keypoints))
        return Scored(none, none, none, none, none > 0, none.astype(np.int8), np.zeros(0), lost)
    coarse, refined, jittered, margin, reported, state, diagonal = (
        np.stack(column) for column in zip(*rows, strict=True)
    )
    return Scored(coarse, refined, jittered, margin, reported, state, diagonal, lost)


def same_keypoints(view: ShippedView, dataset: Dataset, coco: Path) -> None:
    """Refuse a set whose keypoints are not those of the view.

    Raises:
        DataError: names both.
    """
    if view.keypoints != dataset.keypoints:
        raise DataError(
            f"has keypoints {', '.join(dataset.keypoints)}", where=str(coco), allowed=", ".join(view.keypoints)
        )
