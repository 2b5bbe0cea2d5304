"""The second network of a cascade: on an image in which the first one's keypoints lie as those of the mean shape do."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from pipeline import geometry
from pipeline.geometry import Matrix, Points
from pipeline.network import PosedNetwork
from pipeline.stages.coarse import in_large_image
from pipeline.stages.values import CoarseKeypoints, Prepared
from pipeline.stages.visibility import probability

LEAST_TRUST = 0.01  # of a keypoint that is surely hidden: where all are, the part still has a pose
FARTHEST = 64.0  # times the large image's size: nothing is sought, nor is an image of it made, beyond
LEAST_SPREAD_PX = 1.0  # root mean square distance from their centre: keypoints this close together give no direction
_ROUNDS = 4
_OUTLIER = 2.0  # times the median residual: here a keypoint's weight is a quarter


class Posed:
    """Turns, moves and scales the large image as the keypoints say, and finds them anew there."""

    def __init__(self, network: PosedNetwork, device: CpuDevice) -> None:
        """Use `network` on images that live on `device`."""
        self._network, self._device = network, device
        self._pose_px = np.asarray(network.card.pose_px, np.float64)
        width, height = network.card.image_wh
        self._corners = np.array([[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]])
        self._images = np.empty((0, height, width, 1), np.uint8)

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
        for image, number, large_from_posed in zip(images, posed, maps, strict=True):
            self._device.warp(prepared[number].large, large_from_posed, image[..., 0])
        answers = list(found)
        seconds = in_large_image(self._network.run({"image": images}), maps)
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

    def _take(self, count: int) -> NDArray[np.uint8]:
        if len(self._images) < count:
            self._images = np.empty((count, *self._images.shape[1:]), np.uint8)
        return self._images[:count]


def robust_similarity(source: Points, target: Points, weight: NDArray[np.float64]) -> Matrix | None:
    """target_from_source that turns, moves and scales, without reflection; keypoints that do not fit lose their weight.

    Least squares (Umeyama 1991), weighted anew by the residuals (Geman and McClure 1985).

    Args:
        source: (K, 2).
        target: (K, 2); those that are not finite do not count.
        weight: (K,), 0 or more; those that are not finite do not count.

    Returns:
        (3, 3), or None where fewer than two points count or these lie too close together.
    """
    usable = np.isfinite(target).all(axis=1) & np.isfinite(weight) & (weight > 0)
    source, target, weight = source[usable], target[usable], weight[usable]
    robust = weight
    matrix = None
    for _ in range(_ROUNDS):
        matrix = similarity(source, target, robust)
        if matrix is None:
            return None
        apart = target - source @ matrix[:2, :2].T - matrix[:2, 2]
        squares = (apart**2).sum(axis=1)
        scale = _OUTLIER**2 * _weighted_median(squares, weight)
        if scale <= 1e-12:  # an exact fit
            return matrix
        robust = weight / (1.0 + squares / scale) ** 2
    return matrix


def similarity(source: Points, target: Points, weight: NDArray[np.float64]) -> Matrix | None:
    """The weighted least squares similarity target_from_source (Umeyama 1991, in two dimensions and without reflection).

    Args:
        source: (K, 2), finite.
        target: (K, 2), finite.
        weight: (K,), at least 0.

    Returns:
        (3, 3), or None where the points of either side lie too close together to give a direction.
    """
    total = float(weight.sum())
    if len(source) < 2 or not total > 0:
        return None
    share = weight / total
    from_centre, to_centre = share @ source, share @ target
    a, b = source - from_centre, target - to_centre
    spread = float(share @ (a**2).sum(axis=1))
    reached = float(share @ (b**2).sum(axis=1))
    if not (spread > 1e-12 and LEAST_SPREAD_PX**2 < reached < np.inf):
        return None
    along = float(share @ (a * b).sum(axis=1)) / spread  # scale times cosine
    across = float(share @ (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])) / spread  # scale times sine
    if along**2 + across**2 < 1e-6 * reached / spread:  # the points do not agree on any direction
        return None
    turn = np.array([[along, -across], [across, along]])
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    matrix[:2, 2] = to_centre - turn @ from_centre
    return matrix


def _weighted_median(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2.0)])
