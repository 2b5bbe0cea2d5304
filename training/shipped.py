"""The networks as they ship: ONNX files through the stages of the pipeline, on whole images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Points, Region, apply, invert, scale
from pipeline.keypoint_stages import load_keypoint_stages
from pipeline.network import CoarseCard, load_network
from pipeline.pixels import mono8_frame
from pipeline.stages.values import CoarseKeypoints
from pipeline.view_files import read_view_files


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a view's networks say of one part.

    Attributes:
        coarse_sensor_px, posed_sensor_px, refined_sensor_px: (K, 2), after the first network, the second of a cascade, and
            all passes and the shape model; each the one before where the view does without.
        logits: (K, 2) [exists, does not exist], summed over the networks.
        sigma_sensor_px: (K,), standard deviation per axis of the refined position, not calibrated; NaN where none is given.
        is_placed: (K,) bool, the position is inferred by the shape model, not seen: such a keypoint is not reported visible.
    """

    coarse_sensor_px: Points
    posed_sensor_px: Points
    refined_sensor_px: Points
    logits: NDArray[np.float32]
    sigma_sensor_px: NDArray[np.float64]
    is_placed: NDArray[np.bool_]


class ShippedView:
    """A view's folder of networks, run as the inspector runs them."""

    def __init__(self, folder: Path) -> None:
        """Load ``coarse.onnx`` and, where they are there, ``posed.onnx``, ``refine.onnx``, ``shape.json`` and thresholds.

        Raises:
            NetworkError: a network is missing or does not fit its place.
            RecipeError: another file is faulty or of other keypoints than the first network.
        """
        first = load_network(folder / "coarse.onnx", CoarseCard)
        self.keypoints: tuple[str, ...] = tuple(first.card.keypoints)
        first.engine.close()
        files = read_view_files(folder, self.keypoints)
        self.thresholds = files.thresholds
        self._stages = load_keypoint_stages(files, self.keypoints, load_network)

    @property
    def is_refined(self) -> bool:
        """Whether the view has a refine network."""
        return self._stages.refine_stage is not None

    def predict(self, image: NDArray[np.uint8], regions: Sequence[Region]) -> list[Prediction]:
        """Predict the parts in ``regions`` of a grey image (H, W)."""
        prepared = self._stages.preprocess(mono8_frame(image), regions)
        first = self._stages.coarse(prepared)
        second = self._stages.posed(prepared, first)
        refined = self._stages.refine(prepared, second)
        return [
            Prediction(
                coarse_sensor_px=apply(part.sensor_from_large, one.xy_large_px),
                posed_sensor_px=apply(part.sensor_from_large, two.xy_large_px),
                refined_sensor_px=apply(part.sensor_from_large, last.xy_large_px),
                logits=last.logits,
                sigma_sensor_px=last.sigma_large_px * scale(part.sensor_from_large),
                is_placed=last.is_placed,
            )
            for part, one, two, last in zip(prepared, first, second, refined, strict=True)
        ]

    def refine_from(self, image: NDArray[np.uint8], region: Region, starts_sensor_px: Points) -> Points:
        """Refine one part from given positions (K, 2) in place of those found, all else being equal; sensor px."""
        if not self.is_refined:
            return starts_sensor_px
        prepared = self._stages.preprocess(mono8_frame(image), [region])
        (found,) = self._stages.posed(prepared, self._stages.coarse(prepared))
        starts = apply(invert(prepared[0].sensor_from_large), starts_sensor_px)
        (refined,) = self._stages.refine(prepared, [CoarseKeypoints(starts, found.logits, found.sigma_large_px)])
        return apply(prepared[0].sensor_from_large, refined.xy_large_px)
