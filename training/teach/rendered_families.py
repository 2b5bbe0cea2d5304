"""Rendered parts of families drawn by chance, kept on disk: what a keypoint model is taught and judged on."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from simulator.render import Occlusion, PartRenderer, frame_seed
from training.disk import writing
from training.keypoint_words.family import drawn_family
from training.keypoint_words.grammar import KeypointName

CACHE = Path("~/.cache/datumd/teach")
SIDE = 192  # px of a kept image
KEYPOINTS = 16  # of a family at most
_SCENE_WH = (480, 448)
_AROUND = 1.45  # side of the cut region, in longest sides of the box
_VERSION = 2  # of what is drawn: the name of the kept files
_MOST_BYTES = 2_000_000_000


@dataclass(frozen=True)
class RenderedFamilies:
    """Families and some images of each.

    Attributes:
        images: (F, M, SIDE, SIDE) uint8, possibly mapped from disk.
        xy_px: (F, M, KEYPOINTS, 2) float32 in those images, pixel centres.
        state: (F, M, KEYPOINTS) int8: 2 visible, 1 hidden, 0 not made, -1 no such keypoint.
        long_px: (F, M) float32, longest side of the part's box.
        names: for each family those of its keypoints.
        parts: for each family the word for the part.
    """

    images: NDArray[np.uint8]
    xy_px: NDArray[np.float32]
    state: NDArray[np.int8]
    long_px: NDArray[np.float32]
    names: tuple[tuple[KeypointName, ...], ...]
    parts: tuple[str, ...]

    def __len__(self) -> int:
        """How many families."""
        return len(self.parts)


def rendered_families(
    first: int,
    count: int,
    frames: int,
    *,
    folder: Path | None = None,
    report: Callable[[str], None] | None = None,
) -> RenderedFamilies:
    """The families of seeds ``first`` to ``first + count - 1``, ``frames`` images of each; drawn once, then read from disk.

    Of every four images one has cables, hands or labels in the way and features that were not made.

    Raises:
        DataError: so many take more than 2 GB, or they cannot be written.
    """
    if count * frames * SIDE * SIDE > _MOST_BYTES:
        raise DataError(f"{count} families of {frames} images are more than 2 GB", allowed="fewer families")
    place = (folder or CACHE).expanduser()
    stem = place / f"families-{_VERSION}-{first}-{count}-{frames}"
    if not stem.with_suffix(".npz").is_file():
        with writing(place, "the same command when there is room"):
            place.mkdir(parents=True, exist_ok=True)
            _draw(stem, first, count, frames, report)
    images = np.load(stem.with_suffix(".npy"), mmap_mode="r")
    with np.load(stem.with_suffix(".npz")) as truth:
        xy_px, state, long_px = truth["xy_px"], truth["state"], truth["long_px"]
    drawn = [drawn_family(seed) for seed in range(first, first + count)]
    return RenderedFamilies(images, xy_px, state, long_px, tuple(f.names for f in drawn), tuple(f.part for f in drawn))


def _draw(stem: Path, first: int, count: int, frames: int, report: Callable[[str], None] | None) -> None:
    """Render them into two files; the small one is written last and whole, so that it tells that both are there."""
    part = stem.with_suffix(f".{os.getpid()}.npy")
    images = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=(count, frames, SIDE, SIDE))
    xy_px = np.zeros((count, frames, KEYPOINTS, 2), np.float32)
    state = np.full((count, frames, KEYPOINTS), -1, np.int8)
    long_px = np.zeros((count, frames), np.float32)
    for index in range(count):
        family = drawn_family(first + index)
        renderer = PartRenderer(family.blueprint, width=_SCENE_WH[0], height=_SCENE_WH[1])
        for frame in range(frames):
            occlusion = Occlusion.ORDINARY if frame % 4 == 3 else Occlusion.NONE
            drawn = renderer.render(frame_seed(first + index, frame), occlusion=occlusion)
            keypoints = len(family.names)
            image, xy, long = cut_part(drawn.image, drawn.xy_sensor_px, drawn.box_xywh_sensor_px)
            images[index, frame] = image
            xy_px[index, frame, :keypoints], state[index, frame, :keypoints] = xy, drawn.state
            long_px[index, frame] = long
        if report is not None and (index + 1) % 50 == 0:
            report(f"rendered {index + 1} of {count} families")
    images.flush()
    del images
    part.replace(stem.with_suffix(".npy"))
    small = stem.with_suffix(f".{os.getpid()}.npz")
    np.savez(small, xy_px=xy_px, state=state, long_px=long_px)
    small.replace(stem.with_suffix(".npz"))


def cut_part(
    image: NDArray[np.uint8], xy_px: NDArray[np.float64], box_xywh_px: tuple[float, float, float, float]
) -> tuple[NDArray[np.uint8], NDArray[np.float64], float]:
    """A square around the box of a part as (SIDE, SIDE), its keypoints there, and the box's longest side there."""
    x, y, w, h = box_xywh_px
    side = round(_AROUND * max(w, h))
    left, top = round(x + w / 2 - side / 2), round(y + h / 2 - side / 2)
    high, wide = image.shape[:2]
    inner = image[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    before = max(-top, 0), max(-left, 0)
    whole = cv2.copyMakeBorder(
        inner,
        before[0],
        max(top + side - high, 0),
        before[1],
        max(left + side - wide, 0),
        cv2.BORDER_REFLECT_101,
    )
    how = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    small = cv2.resize(whole, (SIDE, SIDE), interpolation=how)
    scale = SIDE / side
    return np.asarray(small, np.uint8), (xy_px - (left, top) + 0.5) * scale - 0.5, max(w, h) * scale
