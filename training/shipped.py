"""The networks as they ship: ONNX files through the stages of the pipeline, on whole images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from pipeline.geometry import Points, Region, apply, invert
from pipeline.network import CoarseCard, RefineCard, load_network
from pipeline.pixels import mono8_frame
from pipeline.stages.coarse import coarse
from pipeline.stages.preprocess import Preprocess
from pipeline.stages.refine import Refine
from pipeline.stages.values import Prepared


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a view's networks say of one part.

    Attributes:
        coarse_sensor_px, refined_sensor_px: (K, 2); the same where the view has no refine network.
        logits: (K, 2) [exists, does not exist], summed over the networks.
    """

    coarse_sensor_px: Points
    refined_sensor_px: Points
    logits: NDArray[np.float32]


class ShippedView:
    """A view's folder of networks, run as the inspector runs them."""

    def __init__(self, folder: Path) -> None:
        """Load ``coarse.onnx`` and, if it is there, ``refine.onnx``.

        Raises:
            NetworkError: a network is missing or does not fit its place.
        """
        self._coarse = load_network(folder / "coarse.onnx", CoarseCard)
        card, device = self._coarse.card, CpuDevice()
        self.keypoints: tuple[str, ...] = tuple(card.keypoints)
        self._preprocess = Preprocess(card.small_wh, card.large_wh, device)
        refine = folder / "refine.onnx"
        self._refine = Refine(load_network(refine, RefineCard), device) if refine.exists() else None

    def predict(self, image: NDArray[np.uint8], regions: Sequence[Region]) -> list[Prediction]:
        """Predict the parts in ``regions`` of a grey image (H, W)."""
        prepared = self._preprocess(mono8_frame(image), regions)
        first = coarse(prepared, self._coarse)
        starts = [
            apply(invert(part.sensor_from_large) @ part.sensor_from_small, found.xy_small_px)
            for part, found in zip(prepared, first, strict=True)
        ]
        refined = self._refine(prepared, starts) if self._refine else None
        predictions = []
        for index, (part, found) in enumerate(zip(prepared, first, strict=True)):
            at_start = apply(part.sensor_from_small, found.xy_small_px)
            if refined is None:
                predictions.append(Prediction(at_start, at_start, found.logits))
                continue
            end = apply(part.sensor_from_large, refined[index].xy_large_px)
            predictions.append(Prediction(at_start, end, found.logits + refined[index].logits))
        return predictions

    def refine_from(self, image: NDArray[np.uint8], region: Region, starts_sensor_px: Points) -> Points:
        """Refine one part from given positions (K, 2) in place of the first network's; sensor px."""
        if self._refine is None:
            return starts_sensor_px
        part: Prepared = self._preprocess(mono8_frame(image), [region])[0]
        starts = apply(invert(part.sensor_from_large), starts_sensor_px)
        return apply(part.sensor_from_large, self._refine([part], [starts])[0].xy_large_px)
