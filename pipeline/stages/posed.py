"""The second network of a cascade: on an image in which the first one's keypoints lie as those of the mean shape do."""

from collections.abc import Sequence

import numpy as np

from engines.devices.device import AnyDevice, DeviceImage
from pipeline import geometry
from pipeline.geometry import Matrix
from pipeline.network import PosedNetwork
from pipeline.similarity import robust_similarity
from pipeline.stages.coarse import in_large_image
from pipeline.stages.values import CoarseKeypoints, Prepared
from pipeline.stages.visibility import probability

LEAST_TRUST = 0.01  # of a keypoint that is surely hidden: where all are, the part still has a pose
FARTHEST = 64.0  # times the large image's size: nothing is sought, nor is an image of it made, beyond


class Posed:
    """Turns, moves and scales the large image as the keypoints say, and finds them anew there."""

    def __init__(self, network: PosedNetwork, device: AnyDevice) -> None:
        """Use `network` on images that live on `device`."""
        self._network, self._device = network, device
        self._pose_px = np.asarray(network.card.pose_px, np.float64)
        width, height = network.card.image_wh
        self._corners = np.array([[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]])
        self._images: DeviceImage = device.empty(0, height, width)

    def __call__(self, prepared: Sequence[Prepared], found: Sequence[CoarseKeypoints]) -> list[CoarseKeypoints]:
        """Find the keypoints of every part of a frame at once; logits are added to those of the first network.

        A part whose keypoints give no pose keeps what was found. So does a keypoint that the first network gave no number
        for: this failure is not forgotten.

        Raises:
            NetworkError: the network fails.
        """
        poses = [self._pose(part, one) for part, one in zip(prepared, found, strict=True)]
        posed = [number for number, pose in enumerate(poses) if pose is not None]
        maps = [pose for pose in poses if pose is not None]
        if not maps:
            return list(found)
        images = self._take(len(maps))
        for row, (number, large_from_posed) in enumerate(zip(posed, maps, strict=True)):
            self._device.warp(prepared[number].large, large_from_posed, images[row])
        answers = list(found)
        seconds = in_large_image(self._network.run({"image": images.reshape(*images.shape, 1)}), maps)
        for number, second in zip(posed, seconds, strict=True):
            first = found[number]
            is_number = np.isfinite(first.xy_large_px).all(axis=-1, keepdims=True)
            xy = np.where(is_number, second.xy_large_px, np.nan)
            answers[number] = CoarseKeypoints(xy, first.logits + second.logits, second.sigma_large_px)
        return answers

    def _pose(self, part: Prepared, found: CoarseKeypoints) -> Matrix | None:
        """large_from_posed, from the keypoints that the first network takes to be there above all."""
        trust = LEAST_TRUST + (1.0 - LEAST_TRUST) * probability(found.logits)
        pose = robust_similarity(self._pose_px, found.xy_large_px, trust)
        if pose is None or np.abs(geometry.apply(pose, self._corners)).max() > FARTHEST * max(part.large.shape):
            return None
        return pose

    def _take(self, count: int) -> DeviceImage:
        """Room for so many images, (N, h, w)."""
        if self._images.shape[0] < count:
            self._images = self._device.empty(count, *self._images.shape[1:])
        taken: DeviceImage = self._images[:count]
        return taken
