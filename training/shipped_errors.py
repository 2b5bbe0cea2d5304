"""What the networks trained so far find on parts they were not trained on, run as they ship."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Region
from training.canvas import Canvas, read_grey, region_of, to_canvas
from training.data import VISIBLE, Dataset
from training.method import ViewShape
from training.shipped import ShippedView


@dataclass(frozen=True)
class Found:
    """What a view found on N parts.

    Attributes:
        xy_canvas_px: (N, K, 2) float32, of the last network.
        margin: (N, K), logit of existing minus logit of not existing, summed over the networks.
        visible: (N, K) bool, the truth.
        error_canvas_px: (N, K, 2) float32, found minus true; NaN where the keypoint is not visible.
    """

    xy_canvas_px: NDArray[np.float32]
    margin: NDArray[np.float64]
    visible: NDArray[np.bool_]
    error_canvas_px: NDArray[np.float32]


def find(view: ShippedView, dataset: Dataset, parts: NDArray[np.int64], shape: ViewShape, canvas: Canvas) -> Found:
    """Run ``view`` over the given parts in the regions of their labels."""
    xy, margin = [], []
    for index in parts:
        part = dataset.parts[index]
        found = view.predict(read_grey(part), [Region(*region_of(part, shape))])[0]
        xy.append(to_canvas(part, shape, canvas.large_offset, found.refined_sensor_px))
        margin.append((found.logits[:, 0] - found.logits[:, 1]).astype(np.float64))
    positions = np.stack(xy).astype(np.float32)
    visible = canvas.state[parts] == VISIBLE
    error = np.where(visible[..., None], positions - canvas.xy_canvas_px[parts], np.nan)
    return Found(positions, np.stack(margin), visible, error.astype(np.float32))
