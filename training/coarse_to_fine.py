"""The first network of a view as a task for `fit`: what goes in, what is compared, what is measured on the way."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training import losses
from training.canvas import Canvas
from training.data import VISIBLE
from training.fit import Losses
from training.method import Method
from training.samples import Batch, CoarseSamples
from training.score import area_under_curve

_CHUNK = 64


@dataclass(frozen=True)
class CoarseTask:
    """S1 on random small images; validated on plain ones."""

    samples: CoarseSamples
    validation: NDArray[np.int64]
    name: str = "coarse"

    def batch(self, step: int) -> Batch:
        """See `CoarseSamples.batch`."""
        return self.samples.batch(step)

    def losses(self, network: nn.Module, batch: dict[str, Tensor]) -> Losses:
        """Position and visibility, balanced by the method's ``visibility_weight``."""
        xy, logits = network(batch["image"])
        position, seen = losses.coarse_loss(xy, logits, batch["xy"], batch["weight"], batch["visible"])
        return {"position": position, "visibility": seen * self.samples.method.coarse.visibility_weight}

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Mean error of visible keypoints in sensor px, and the area under the visibility curve."""
        canvas = self.samples.canvas
        xy, logits = coarse_predictions(network, canvas, self.validation, self.samples.method)
        error = distance_sensor_px(canvas, self.validation, xy)
        seen = canvas.state[self.validation] == VISIBLE
        return {"mean_px": float(error[seen].mean()), "auc": area_under_curve(logits[..., 0] - logits[..., 1], seen)}


@torch.no_grad()
def coarse_predictions(
    network: nn.Module, canvas: Canvas, parts: NDArray[np.int64], method: Method
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Positions (N, K, 2) in canvas px and logits (N, K, 2) of plain small images."""
    device = next(network.parameters()).device
    wide, high = method.view.small_wh
    ratio = method.view.large_wh[0] // wide
    left, top = (round(o * canvas.medium_per_large) for o in canvas.large_offset)
    positions, scores = [], []
    for first in range(0, len(parts), _CHUNK):
        crops = (canvas.medium[p, top : top + 2 * high, left : left + 2 * wide] for p in parts[first : first + _CHUNK])
        images = np.stack([cv2.resize(c, (wide, high), interpolation=cv2.INTER_AREA) for c in crops])
        xy, logits = network(torch.from_numpy(images[..., None]).to(device))
        positions.append(xy.float().cpu().numpy())
        scores.append(logits.float().cpu().numpy())
    large = (np.concatenate(positions).astype(np.float64) + 0.5) * ratio - 0.5
    return (large + canvas.large_offset).astype(np.float32), np.concatenate(scores)


def distance_sensor_px(canvas: Canvas, parts: NDArray[np.int64], xy: NDArray[np.float32]) -> NDArray[np.float64]:
    """Errors (N, K) in px of the original image; where no position is known they compare with the mean shape."""
    difference = xy - canvas.xy_canvas_px[parts]
    return np.asarray(
        np.hypot(difference[..., 0], difference[..., 1]) / canvas.large_px_per_sensor_px[parts, None], np.float64
    )
