"""Positions to a fraction of a pixel from patches of the large images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.devices.device import AnyDevice, DeviceImage
from pipeline.geometry import Points
from pipeline.network import RefineNetwork
from pipeline.stages.shape import ShapeFit
from pipeline.stages.turn import part_angle, turned
from pipeline.stages.values import CoarseKeypoints, Prepared, RefinedKeypoints
from pipeline.stages.visibility import probability

AGAIN = 0.1  # of the widest span: a keypoint that the shape moves farther is looked for again, at its new place
HIDDEN = 0.5  # a keypoint that is there with a smaller probability is looked for where the shape says


@dataclass(slots=True)
class _State:
    """Where N parts' keypoints are by now: (N, K, 2) px and logits, (N, K) px; nan for what has failed."""

    xy: NDArray[np.float64]
    logits: NDArray[np.float64]
    sigma: NDArray[np.float64]


class Refine:
    """Moves keypoints by what the network sees around them, once for every span of its card."""

    def __init__(self, network: RefineNetwork, device: AnyDevice, shape: ShapeFit | None = None) -> None:
        """Use `network` on images that live on `device`; `shape` looks after keypoints that were led astray."""
        self._network, self._device, self._shape = network, device, shape
        pose = network.card.pose
        self._pose: Points | None = None if pose is None else np.array(pose, np.float64)
        self._patches: DeviceImage = device.empty(0, network.card.patch, network.card.patch)

    def __call__(self, prepared: Sequence[Prepared], found: Sequence[CoarseKeypoints]) -> list[RefinedKeypoints]:
        """Refine the keypoints of every part of a frame, and add the last pass's logits to those that came.

        With a shape model: after the widest pass, keypoints that are hidden or lie where the others do not explain them
        start from where the shape says, those that are far from there with the widest pass once more.

        Raises:
            NetworkError: the network fails.
        """
        if not prepared:
            return []
        xy = np.stack([one.xy_large_px for one in found])
        before = np.stack([one.logits for one in found]).astype(np.float64)
        state = _State(np.where(np.isfinite(xy), xy, np.nan), np.zeros_like(before), np.full(before.shape[:2], np.nan))
        every = np.ones(state.sigma.shape, np.bool_)
        for index in range(len(self._network.card.spans_px)):
            self._pass(prepared, state, index, every, self._angles(state, before))
            if index == 0 and self._shape is not None:
                again = self._led_back(self._shape, state, before)
                if again.any():
                    self._pass(prepared, state, index, again, self._angles(state, before))
        logits = (before + state.logits).astype(np.float32)
        nothing = np.zeros(len(self._network.card.keypoints), np.bool_)
        return [RefinedKeypoints(*part, nothing) for part in zip(state.xy, logits, state.sigma, strict=True)]

    def _angles(self, state: _State, before: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) rad, by which the parts' patches are turned: as the parts are by what is known of them now."""
        if self._pose is None:
            return np.zeros(len(state.xy))
        chances = probability(before + state.logits)
        return np.array([part_angle(self._pose, *part) for part in zip(state.xy, chances, strict=True)])

    def _pass(
        self,
        prepared: Sequence[Prepared],
        state: _State,
        index: int,
        chosen: NDArray[np.bool_],
        angles_rad: NDArray[np.float64],
    ) -> None:
        """Look at the chosen keypoints (N, K) with one span of the card, all in one batch."""
        card = self._network.card
        span_px = card.spans_px[index]
        height, width = prepared[0].large.shape
        part, keypoint = (np.ascontiguousarray(indices) for indices in np.nonzero(chosen))
        # A network that is far off must not send the cutter into nowhere.
        xy = np.clip(state.xy[part, keypoint], -0.5, [width - 0.5, height - 0.5])
        centres = np.nan_to_num(xy)
        patches = self._take(len(part))
        bounds = np.searchsorted(part, np.arange(len(prepared) + 1))
        for one, angle, first, last in zip(prepared, angles_rad.tolist(), bounds[:-1], bounds[1:], strict=True):
            self._device.gather(one.large, centres[first:last], span_px, patches[first:last], angle)
        seen = patches.reshape(*patches.shape, 1)
        outputs = self._network.run({"patches": seen, "keypoint": keypoint, "span": np.full(len(part), index)})
        offset, logits = (outputs[name].astype(np.float64) for name in ("offset", "visibility"))
        offset = np.where(np.isfinite(offset), offset, np.nan)
        if self._pose is not None:
            offset = turned(offset, angles_rad[part])
        xy = xy + offset * (span_px / card.patch)
        # The last pass counts, but a failure of an earlier one must not be forgotten.
        logits = np.where(np.isfinite(state.logits[part, keypoint] + logits), logits, np.nan)
        if card.has_sigma:
            squares = outputs["sigma"].astype(np.float64) ** 2  # their mean is the same however a patch is turned
            sigma = np.sqrt(squares.mean(axis=1)) * (span_px / card.patch)
            state.sigma[part, keypoint] = sigma
            logits[~np.isfinite(sigma)] = np.nan
        state.xy[part, keypoint], state.logits[part, keypoint] = xy, logits

    def _led_back(self, shape: ShapeFit, state: _State, before: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Put what is hidden or does not fit where the shape says; (N, K), which of these are far from where they were."""
        far = AGAIN * self._network.card.spans_px[0]
        again = np.zeros(state.sigma.shape, np.bool_)
        chances = probability(before + state.logits)
        for number, (xy, chance) in enumerate(zip(state.xy, chances, strict=True)):
            fitted = shape(xy, chance, state.sigma[number])
            lost = np.isfinite(xy).all(axis=1) & (~fitted.is_inlier | (chance < HIDDEN))
            again[number] = lost & (fitted.residual_px > far)
            xy[lost] = fitted.xy[lost]
        return again

    def _take(self, count: int) -> DeviceImage:
        """Room for so many patches, (M, P, P)."""
        if self._patches.shape[0] < count:
            self._patches = self._device.empty(count, *self._patches.shape[1:])
        taken: DeviceImage = self._patches[:count]
        return taken
