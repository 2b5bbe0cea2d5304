"""A recipe's view on a labelled set: located, predicted and thresholded as it ships, then compared with the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from pipeline import sigma as sigma_file
from pipeline.errors import DataError
from pipeline.geometry import Points, Region
from pipeline.pixels import mono8_frame
from pipeline.recipe_file import LocateSettings
from pipeline.result import KeypointState
from pipeline.sigma import SigmaScale
from pipeline.stages.locate import make_locate
from pipeline.stages.values import Visibility
from pipeline.stages.visibility import visibility
from pipeline.thresholds import Thresholds
from training.canvas import overlap, read_grey
from training.data import Dataset, Part
from training.score import Scored
from training.shipped import Prediction, ShippedView

JITTER_PX = 6.0
Locate = Callable[[NDArray[np.uint8], Sequence[Part]], Sequence[Region]]


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
    sigma: SigmaScale | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Scored, list[Case]]:
    """Run a view over every image of a set.

    Args:
        view: its networks.
        thresholds: of its visibility.
        locate: gives the regions of one grey image (H, W), as the recipe's locate stage does, or, to leave that stage out,
            from the labels of the image's parts.
        dataset: the set.
        sigma: makes the networks' standard deviations honest; without it none is judged.
        seed: of the jitter, normal with 6 px on each axis, that replaces the first network in ``jittered_px``.
        progress: called with images done and their count.

    Raises:
        DataError: an image cannot be read.
    """
    rng = np.random.default_rng(seed)
    rows: list[_Row] = []
    cases = []
    lost = 0
    count = len(dataset.images)
    for done, (_, group) in enumerate(groupby(dataset.parts, key=lambda part: part.image), start=1):
        parts = list(group)
        image = read_grey(parts[0])
        regions = list(locate(image, parts))
        predictions = view.predict(image, regions)
        for part, index in zip(parts, matched([part.box for part in parts], regions), strict=True):
            if index is None:
                lost += 1
                continue
            found = predictions[index]
            seen = visibility(found.logits, view.keypoints, thresholds, found.is_placed)
            starts = part.xy_sensor_px + rng.normal(0.0, JITTER_PX, part.xy_sensor_px.shape)
            starts = np.where(np.isfinite(starts), starts, found.posed_sensor_px)
            jittered = view.refine_from(image, regions[index], starts)
            row = _row(part, found, jittered, seen, sigma)
            rows.append(row)
            cases.append(Case(part, found.coarse_sensor_px, found.refined_sensor_px, row.refined_px, row.reported))
        if progress:
            progress(done, count)
    return _stacked(rows, [case.part for case in cases], view, lost), cases


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


class _Row(NamedTuple):
    """One part; the fields of `Scored` by the same names."""

    coarse_px: NDArray[np.float64]
    posed_px: NDArray[np.float64]
    refined_px: NDArray[np.float64]
    jittered_px: NDArray[np.float64]
    margin: NDArray[np.float64]
    reported: NDArray[np.bool_]
    deviations: NDArray[np.float64]


def _row(part: Part, found: Prediction, jittered: Points, seen: Visibility, sigma: SigmaScale | None) -> _Row:
    coarse_px, posed_px, refined_px, jittered_px = (
        np.hypot(*(xy - part.xy_sensor_px).T)
        for xy in (found.coarse_sensor_px, found.posed_sensor_px, found.refined_sensor_px, jittered)
    )
    calibrated = np.full(len(part.state), np.nan) if sigma is None else sigma_file.apply(sigma, found.sigma_sensor_px)
    return _Row(
        coarse_px,
        posed_px,
        refined_px,
        jittered_px,
        (found.logits[:, 0] - found.logits[:, 1]).astype(np.float64),
        np.array([state is KeypointState.visible for state in seen.states]),
        (found.refined_sensor_px - part.xy_sensor_px) / calibrated[:, None],
    )


def _stacked(rows: Sequence[_Row], parts: Sequence[Part], view: ShippedView, lost: int) -> Scored:
    if not rows:
        none = np.zeros((0, len(view.keypoints)))
        return Scored(
            none, none, none if view.is_refined else None, none, none > 0, none.astype(np.int8), np.zeros(0), lost
        )
    coarse, posed, refined, jittered, margin, reported, deviations = (
        np.stack(column) for column in zip(*rows, strict=True)
    )
    return Scored(
        coarse_px=coarse,
        refined_px=refined,
        jittered_px=jittered if view.is_refined else None,
        margin=margin,
        reported=reported,
        state=np.stack([part.state for part in parts]),
        diagonal_px=np.array([float(np.hypot(*part.box[2:])) for part in parts]),
        lost=lost,
        posed_px=None if np.array_equal(posed, coarse, equal_nan=True) else posed,  # without a cascade it is the same
        deviations=deviations if np.isfinite(deviations).any() else None,
    )


def locate_of(settings: LocateSettings, view: str) -> Locate:
    """How a recipe locates the parts of its ``view``."""
    find = make_locate(settings, view, CpuDevice())
    return lambda image, _: find(mono8_frame(image))[0]


def same_keypoints(view: ShippedView, dataset: Dataset, coco: Path) -> None:
    """Refuse a set whose keypoints are not those of the view.

    Raises:
        DataError: names both.
    """
    if view.keypoints != dataset.keypoints:
        raise DataError(
            f"has keypoints {', '.join(dataset.keypoints)}", where=str(coco), allowed=", ".join(view.keypoints)
        )
