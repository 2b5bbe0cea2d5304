"""Positions to a fraction of a pixel from patches of the large images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from pipeline.geometry import Points
from pipeline.network import RefineNetwork
from pipeline.stages.values import Prepared, RefinedKeypoints


class Refine:
    """Moves keypoints by what the network sees around them, once for every span of its card."""

    def __init__(self, network: RefineNetwork, device: CpuDevice) -> None:
        """Use `network` on images that live on `device`."""
        self._network, self._device = network, device
        self._patches = np.empty((0, network.card.patch, network.card.patch, 1), np.uint8)

    def __call__(self, prepared: Sequence[Prepared], xy_large_px: Sequence[Points]) -> list[RefinedKeypoints]:
        """Refine the keypoints (K, 2) of every part of a frame. Raises NetworkError where the network fails."""
        if not prepared:
            return []
        card = self._network.card
        count = len(card.keypoints)
        patches = self._take(len(prepared) * count)
        keypoint = np.tile(np.arange(count), len(prepared))
        height, width = prepared[0].large.shape
        xy = np.stack([np.asarray(points, np.float64) for points in xy_large_px])  # (N, K, 2)
        logits = np.zeros((len(prepared), count, 2), np.float32)
        for index, span_px in enumerate(card.spans_px):
            xy = np.where(np.isfinite(xy), xy, np.nan)  # what is no number must not become a place at the image's rim
            # A network that is far off must not send the cutter into nowhere.
            xy = np.clip(xy, -0.5, [width - 0.5, height - 0.5])
            centres = np.nan_to_num(xy)
            for number, part in enumerate(prepared):
                own = patches[number * count : (number + 1) * count, ..., 0]
                self._device.gather(part.large, centres[number], span_px, own)
            span = np.full(len(keypoint), index)
            outputs = self._network.run({"patches": patches, "keypoint": keypoint, "span": span})
            xy = xy + outputs["offset"].reshape(xy.shape) * (span_px / card.patch)
            # The last pass counts, but a failure of an earlier one must not be forgotten.
            logits = np.where(np.isfinite(logits), outputs["visibility"].reshape(logits.shape), np.nan)
        return [RefinedKeypoints(points, scores) for points, scores in zip(xy, logits, strict=True)]

    def _take(self, count: int) -> NDArray[np.uint8]:
        if len(self._patches) < count:
            self._patches = np.empty((count, *self._patches.shape[1:]), np.uint8)
        return self._patches[:count]
