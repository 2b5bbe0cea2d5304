"""What a teacher proposes for one photograph, as a labelled part with how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import apply
from pipeline.similarity import robust_similarity
from training.data import HIDDEN, MISSING, VISIBLE, Dataset, Part
from training.labels.coco_writer import coco_bytes
from training.labels.corners import CORNER, Box, box_around
from training.matching.example import LEAST_EXTENT_PX, LONE
from training.review.marked import Marked
from training.teach.proposal import Proposal

SEEN_SHARE = 0.5  # of the points that have to be visible for a part to be as sure as they are
DOUBT = 0.25  # from an even chance, within which a keypoint is to be looked at
DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Taught:
    """One photograph's proposals.

    Attributes:
        part: as it would be labelled: visible or hidden keypoints, in px of the image; missing without a position where the
            teacher gave none.
        confidence: (K,) 0..1, that each keypoint is there, seen and found.
        texts: (K,) the teacher's own words.
        sure: 0..1, the part as a whole: mean confidence of its visible keypoints, less where few are visible.
    """

    part: Part
    confidence: NDArray[np.float64]
    texts: tuple[str, ...]
    sure: float


def taught(
    image: Path, wh: tuple[int, int], proposals: Sequence[Proposal], number: int, marked: Marked | None = None
) -> Taught:
    """Make a part of the proposals for one image.

    Args:
        image: its file.
        wh: its width and height in px.
        proposals: one for each keypoint; pixel centres at integers.
        number: the annotation's.
        marked: the example, whose box is carried over where it has one.
    """
    xy = np.array([one.xy_px for one in proposals], np.float64).reshape(-1, 2)
    confidence = np.clip(np.nan_to_num([one.confidence for one in proposals]), 0.0, 1.0)
    known = np.asarray(np.isfinite(xy).all(1))
    xy = np.where(known[:, None], xy, np.nan)
    inside = ((xy >= -CORNER) & (xy <= np.array(wh) - CORNER)).all(1)
    seen = np.array([one.visible for one in proposals]) & inside & known
    share = float(seen.mean())
    sure = float(confidence[seen].mean()) * min(1.0, share / SEEN_SHARE) if seen.any() else 0.0
    states = np.where(seen, VISIBLE, np.where(known, HIDDEN, MISSING)).astype(np.int8)
    part = Part(image, wh, np.round(xy, DECIMALS), states, _box(xy, confidence, wh, marked), number)
    return Taught(part, confidence, tuple(one.text for one in proposals), sure)


def _box(xy: NDArray[np.float64], confidence: NDArray[np.float64], wh: tuple[int, int], marked: Marked | None) -> Box:
    """The marked box carried over, or one around the points; within the image."""
    known = np.isfinite(xy).all(1)
    if not known.any():
        return 0.0, 0.0, float(wh[0]), float(wh[1])
    around = _around(np.clip(xy[known] + CORNER, 1e-6, wh), wh)
    if marked is None or marked.box is None:
        return around
    moved = robust_similarity(marked.xy_px, xy, np.maximum(confidence, 0.02))
    if moved is None:
        return around
    x, y, wide, high = marked.box
    ends = np.array([(x, y), (x + wide, y), (x, y + high), (x + wide, y + high)]) - CORNER
    reached = apply(moved, ends) + CORNER
    low, high_end = np.clip(reached.min(0), 0.0, wh), np.clip(reached.max(0), 0.0, wh)
    if (high_end - low < 1.0).any():
        return around
    size = high_end - low
    left, top, wide, high = np.round((low[0], low[1], size[0], size[1]), DECIMALS).tolist()
    return left, top, wide, high


def _around(corners: NDArray[np.float64], wh: tuple[int, int]) -> Box:
    """A box around the points; points in one place say nothing of how large the part is."""
    if float(np.ptp(corners, axis=0).max()) >= LEAST_EXTENT_PX:
        return box_around(corners, wh)
    reach = LONE * min(wh)
    low, high = np.maximum(corners.min(0) - reach, 0.0), np.minimum(corners.max(0) + reach, wh)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def proposals_bytes(found: Sequence[Taught], name: str, keypoints: Sequence[str], images: Path) -> bytes:
    """A COCO keypoint file of all parts that were found; ``confidence`` (K) and ``score`` are ours, readers ignore them."""
    there = (one.part for one in found if np.isfinite(one.part.xy_sensor_px).any())
    parts = tuple(sorted(there, key=lambda part: (part.image, part.annotation)))
    written = msgspec.json.decode(coco_bytes(Dataset(tuple(keypoints), parts, name), images))
    by_number = {one.part.annotation: one for one in found}
    for annotation in written["annotations"]:
        one = by_number[annotation["id"]]
        annotation["confidence"] = [round(float(value), DECIMALS) for value in one.confidence]
        annotation["score"] = round(one.sure, DECIMALS)
    return msgspec.json.format(msgspec.json.encode(written), indent=1) + b"\n"


def doubtful(one: Taught) -> tuple[int, ...]:
    """Keypoints that are neither clearly there nor clearly not."""
    return tuple(int(index) for index in np.flatnonzero(np.abs(one.confidence - 0.5) < DOUBT))
