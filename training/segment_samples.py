"""Images and labels that S4 learns from: cut as the daemon cuts them, each in a fixed number of variants."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from pipeline.geometry import Region
from pipeline.part_pose import Found, pose_of, sensor_from_part
from pipeline.pixels import mono8_frame
from pipeline.stages.crop import Crop, sensor_from_map
from pipeline.stages.segment import own_cells
from training import augment
from training.masks.heatmap_label import heatmap_label
from training.masks.sample import GOOD, MaskedSample, MaskedSet
from training.method import Augment
from training.segment_method import SegmentMethod

Image = NDArray[np.uint8]
_STREAM = 41  # keeps its random numbers apart from those of other networks


@dataclass(frozen=True)
class Labels:
    """What is true of one variant of an image.

    Attributes:
        mask: (Hm, Wm) uint8, share of the cell that is defect, times 255.
        counted: (Hm, Wm) bool, cells of the part: others teach nothing, as nothing is reported there.
        heatmap: (Hh, Wh) float16, 0 to 1.
        pose: (2, 3) float32, where on the part it lies, see `pipeline.part_pose.pose_of`.
    """

    mask: Image
    counted: NDArray[np.bool_]
    heatmap: NDArray[np.float16]
    pose: NDArray[np.float32]


@dataclass(frozen=True)
class SegmentSamples:
    """Variants of the images of a set. The first of each is the image as it is.

    Attributes:
        image_wh, mask_wh, heatmap_wh: sizes in px and cells, of the network.
        layout: the keypoints in the part's own frame; without one no image has a place on its part.
    """

    data: MaskedSet
    method: SegmentMethod
    image_wh: tuple[int, int]
    mask_wh: tuple[int, int]
    heatmap_wh: tuple[int, int]
    layout: Found = field(default_factory=dict)

    def pair(self, index: int, variant: int) -> tuple[Image, Labels]:
        """The image (H, W): its region through the stage that ships, then mirrored, turned and lit; and what is true of it.

        Raises:
            DataError: image or mask cannot be read.
        """
        sample, region = self.data.load(index), self.data.regions(index)
        rng = np.random.default_rng([self.method.seed, _STREAM, zlib.crc32(sample.name.encode()), variant])
        area = self._moved(rng, region) if variant else region
        crop = Crop(self.image_wh, CpuDevice())(mono8_frame(sample.image), area)
        image = np.array(crop.image[0, :, :, 0])
        labels = self._labels(sample, crop.region, self.data.images[index].part or region)
        if not variant:
            return image, labels
        vary = self.method.augment
        light = Augment(contrast=vary.contrast, brightness=vary.brightness, blur_px=vary.blur_px)
        image = augment.relit(rng, image, light, noise=vary.noise)
        if not vary.turns:
            return image, labels
        quarters, mirrored = int(rng.integers(4)), rng.random() < 0.5
        planes = labels.mask, labels.counted, labels.heatmap
        mask, counted, heatmap = (_turned(plane, quarters, mirrored) for plane in planes)
        pose = _turned_pose(labels.pose, quarters, mirrored)
        return _turned(image, quarters, mirrored), Labels(mask, counted, heatmap, pose)

    @cached_property
    def has_defect(self) -> NDArray[np.bool_]:
        """(N,), by the kind that the set gives each image."""
        return np.array([kind != GOOD for kind in self.data.kinds], np.bool_)

    def _moved(self, rng: np.random.Generator, region: Region) -> Region:
        vary = self.method.augment
        grow = math.exp(rng.uniform(-vary.scale, vary.scale))
        dx, dy = rng.uniform(-vary.shift, vary.shift, 2)
        w, h = region.w * grow, region.h * grow
        return Region(
            region.x + (region.w - w) / 2 + dx * region.w, region.y + (region.h - h) / 2 + dy * region.h, w, h
        )

    def _labels(self, sample: MaskedSample, area: Region, region: Region) -> Labels:
        """Of what the area shows; only what lies in the part's own region counts."""
        height, width = sample.image.shape
        fine = _cut(sample.mask.astype(np.uint8) * np.uint8(255), area, self.image_wh)
        mask = np.asarray(cv2.resize(fine, self.mask_wh, interpolation=cv2.INTER_AREA), np.uint8)
        hw = self.mask_wh[1], self.mask_wh[0]
        counted = own_cells([region], 0, (width, height), sensor_from_map(area, self.mask_wh), hw)
        heatmap = self.method.heatmap
        ridge = heatmap_label(fine > 0, self.heatmap_wh, heatmap.width, heatmap.label)
        pose = pose_of(area, sensor_from_part(self.layout, sample.keypoints))
        return Labels(mask, counted, ridge.astype(np.float16), pose)


def _cut(plane: Image, area: Region, wh: tuple[int, int]) -> Image:
    """A plane (h, w) where the area lies, at ``wh``, averaged; 0 outside of it."""
    x, y, w, h = (round(value) for value in area)
    height, width = plane.shape
    whole = np.zeros((h, w), np.uint8)
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    if left < right and top < bottom:
        whole[top - y : bottom - y, left - x : right - x] = plane[top:bottom, left:right]
    how = cv2.INTER_AREA if w >= wh[0] and h >= wh[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(whole, wh, interpolation=how), np.uint8)


def _turned(plane: NDArray[Any], quarters: int, mirrored: bool) -> NDArray[Any]:
    turned = np.rot90(plane, quarters)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


def _turned_pose(pose: NDArray[np.float32], quarters: int, mirrored: bool) -> NDArray[np.float32]:
    """The pose of an image that `_turned` gives: what is seen at (x, y) of it was at (-y, x) a quarter earlier."""
    before = np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), quarters) @ np.diag([-1 if mirrored else 1, 1])
    return np.concatenate((pose[:, :2] @ before.astype(np.float32), pose[:, 2:]), axis=1)
