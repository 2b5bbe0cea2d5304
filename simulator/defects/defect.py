"""A defect that can be seen in a frame, and the check that it can."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.defects.mark import Kind, Mark
from simulator.defects.workpiece import Floats, Workpiece
from simulator.scene import LEAST_BLUR_PX

LEAST_LEVELS = 4.0  # grey levels by which the strongest tenth of a defect's pixels changes
LEAST_CONTRAST = 0.14  # the same as a share of plain metal: hairlines of the sheet itself reach half of it
LEAST_OF_NOISE = 1.75  # the same as a multiple of the noise's deviation: soft shades drown in it
LEAST_SIGNAL = 16.0  # root of the sum of squared changes, over the deviation of noise and grain
LEAST_AREA_PX = 8
_GRAIN = 0.04  # deviation of the metal's fine grain, as a share of its grey level
_FAINT = 0.2  # of what the strongest pixels change: less is no longer the defect
_FAINTEST_LEVELS = 1.0


@dataclass(frozen=True)
class Defect:
    """A defect as the sensor sees it.

    Attributes:
        kind: scratch, dent, stain or burr.
        at: (x, y) of the mask's top left pixel in the image.
        mask: (h, w) bool, its own bounding box: pixels of which the defect takes half or more, that no occluder covers, and
            that it changes or that lie between such pixels.
        levels: grey levels, contrast and lens included, that it changes the strongest tenth of the mask by, at least.
    """

    kind: Kind
    at: tuple[int, int]
    mask: NDArray[np.bool_]
    levels: float

    @property
    def area_px(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.mask))

    def on(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The mask in a whole image of ``shape`` (H, W)."""
        whole = np.zeros(shape, bool)
        (x, y), (height, width) = self.at, self.mask.shape
        whole[y : y + height, x : x + width] = self.mask
        return whole


def seen_defect(work: Workpiece, mark: Mark) -> Defect | None:
    """What the camera sees of a mark; None if a person would not see it."""
    scene = work.scene
    footprint = mark.footprint & (work.cut(work.seen, mark.box) >= 0.5)
    if np.count_nonzero(footprint) < LEAST_AREA_PX:
        return None
    size = np.abs(_through_lens(work, mark))
    levels = float(np.quantile(size[footprint], 0.9))
    changed = (size >= max(_FAINT * levels, _FAINTEST_LEVELS)).astype(np.uint8)
    mask = footprint & (cv2.dilate(changed, _disc(mark.reach_px)) > 0)
    plain = scene.contrast * scene.metal_grey
    signal = math.sqrt(float((size[mask] ** 2).sum())) / math.hypot(scene.noise_levels, _GRAIN * plain)
    least = max(LEAST_LEVELS, LEAST_CONTRAST * plain, LEAST_OF_NOISE * scene.noise_levels)
    if levels < least or signal < LEAST_SIGNAL or np.count_nonzero(mask) < LEAST_AREA_PX:
        return None
    return _trimmed(mark, mask, levels)


def _through_lens(work: Workpiece, mark: Mark) -> Floats:
    """Grey levels by which the sensor's picture changes: below the occluders, blurred, at the frame's contrast."""
    change = mark.change * work.cut(work.seen, mark.box)
    if work.scene.blur_px > LEAST_BLUR_PX:
        change = cv2.GaussianBlur(change, (0, 0), work.scene.blur_px, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(work.scene.contrast * change, dtype=np.float32)


def _disc(radius: float) -> NDArray[np.uint8]:
    half = math.ceil(radius)
    span = np.arange(-half, half + 1)
    return (np.hypot(span[None, :], span[:, None]) <= radius).astype(np.uint8)


def _trimmed(mark: Mark, mask: NDArray[np.bool_], levels: float) -> Defect:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    inner = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return Defect(mark.kind, (mark.box[0] + int(columns[0]), mark.box[1] + int(rows[0])), inner, levels)
