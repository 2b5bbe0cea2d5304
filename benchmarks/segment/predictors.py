"""What the rows of the table are asked by: networks in torch, and the frozen SAM with perfect prompts."""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.devices.cpu import CpuDevice
from pipeline import geometry
from pipeline.frame import Frame
from pipeline.geometry import Matrix, Region
from pipeline.part_pose import Found, pose_of, sensor_from_part
from pipeline.pixels import mono8_frame
from pipeline.stages.crop import Crop, Cropped, sensor_from_map
from pipeline.stages.tiles import stitch, tiles_of
from training.masks.sample import MaskedSample, MaskedSet
from training.networks.prompted_sam import PromptedSam
from training.networks.sam import LoadedSam, prompted_masks
from training.networks.unet import UNet
from training.segment_maps import Maps, Predict, window
from training.segment_regions import labelled

_NOTHING = -20.0  # logit where no prompt was given
_AT_ONCE = 16  # prompts
_TIMED = 20


class Running:
    """A network in torch, fed by the daemon's own crop."""

    def __init__(self, network: PromptedSam | UNet, tiles: tuple[int, int]) -> None:
        """``tiles``: columns and rows of the images in which a region is looked at."""
        self._network, self._tiles = network.eval(), tiles
        self._crop = Crop(network.image_wh, CpuDevice())

    def __call__(self, sample: MaskedSample, region: Region) -> Maps:
        """The maps of the part in ``region``."""
        network, (columns, rows) = self._network, self._tiles
        sizes = network.decoder if isinstance(network, PromptedSam) else network
        mask, heatmap = (
            np.empty((rows * high, columns * wide), np.float32) for wide, high in (sizes.mask_wh, sizes.heatmap_wh)
        )
        tiles = tiles_of(region, network.image_wh, self._tiles)
        look = partial(self._look, mono8_frame(sample.image), sample.keypoints)
        area = stitch(tiles, self._tiles, look, mask, heatmap)
        return Maps(mask, heatmap, sensor_from_map(area, (mask.shape[1], mask.shape[0])))

    @torch.no_grad()
    def _look(self, frame: Frame, found: Found, area: Region) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        asked = [torch.from_numpy(self._crop.area(frame, area).image)]
        if isinstance(self._network, PromptedSam) and (layout := self._network.decoder.layout):
            asked.append(torch.from_numpy(pose_of(area, sensor_from_part(layout, found))[None]))
        mask, heatmap = self._network(*asked)
        return mask[0].float().numpy(), heatmap[0].float().numpy()


class Perfect:
    """The frozen SAM, told by the truth where every defect is: no prompt that is learnt can be better."""

    def __init__(self, sam: LoadedSam, kind: Literal["box", "point"]) -> None:
        """With the box of every connected defect, or with the point of it that is farthest from its edge."""
        self._sam, self._kind = sam, kind
        self._crop = Crop(sam.image_wh, CpuDevice())

    @torch.no_grad()
    def __call__(self, sample: MaskedSample, region: Region) -> Maps:
        """The union of its answers, a heatmap of 1 everywhere."""
        cut = self._crop(mono8_frame(sample.image), region)
        image = torch.from_numpy(cut.image)
        columns, rows = self._sam.mask_wh
        best = torch.full((rows, columns), _NOTHING)
        asked = torch.from_numpy(prompts(sample, region, cut.sensor_from(self._sam.image_wh), self._kind))
        for some in (asked[first : first + _AT_ONCE] for first in range(0, len(asked), _AT_ONCE)):
            given = {"boxes": some[None]} if self._kind == "box" else {"points": some[None, :, None]}
            best = torch.maximum(best, prompted_masks(self._sam, image, **given)[0].amax(0))
        return _maps(best, torch.ones(rows // 2, columns // 2), cut)


def prompts(
    sample: MaskedSample, region: Region, sensor_from_image: Matrix, kind: Literal["box", "point"]
) -> NDArray[np.float32]:
    """Where the defects in a region are, in px of the image: (P, 4), x and y of the first and the last pixel; or points (P, 2)."""
    height, width = sample.mask.shape
    seen = window(region, (width, height))
    inside = np.zeros_like(sample.mask)
    inside[seen.rows, seen.columns] = sample.mask[seen.rows, seen.columns]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    found = [_box(stats[label]) if kind == "box" else _deepest(labels == label) for label in range(1, count)]
    places = geometry.apply(geometry.invert(sensor_from_image), np.array(found, np.float64).reshape(-1, 2))
    return places.reshape(-1, 4 if kind == "box" else 2).astype(np.float32)


def milliseconds(predict: Predict, images: MaskedSet) -> float:
    """CPU time of this process for one part, the median of some. Waiting does not count."""
    where, times, threads = labelled(images), [], torch.get_num_threads()
    torch.set_num_threads(1)
    for index in range(min(_TIMED, len(images))):
        sample = images.load(index)
        place = where(index, sample)
        if place is None:
            continue
        predict(sample, place.region)  # the first run finds cold caches; a line's parts are alike
        started = time.process_time()
        predict(sample, place.region)
        times.append((time.process_time() - started) * 1e3)
    torch.set_num_threads(threads)
    return statistics.median(times)


def _maps(mask: Tensor, heatmap: Tensor, cut: Cropped) -> Maps:
    logits = np.asarray(mask.numpy(), np.float32)
    return Maps(logits, np.asarray(heatmap.numpy(), np.float32), cut.sensor_from((logits.shape[1], logits.shape[0])))


def _box(stats: NDArray[np.int32]) -> list[int]:
    """X and y of the first and of the last pixel."""
    x, y, wide, high = stats[: cv2.CC_STAT_AREA].tolist()
    return [x, y, x + wide - 1, y + high - 1]


def _deepest(mask: NDArray[np.bool_]) -> list[int]:
    """X and y of the pixel that is farthest from the edge."""
    padded = np.pad(mask.astype(np.uint8), 1)
    row, column = divmod(int(cv2.distanceTransform(padded, cv2.DIST_L2, 5).argmax()), padded.shape[1])
    return [column - 1, row - 1]
