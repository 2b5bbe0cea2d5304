"""The refine network of a view as a task for `fit`: what goes in, what is compared, what is measured on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training import augment, losses
from training.canvas import Canvas, distance_sensor_px
from training.data import VISIBLE
from training.fit import Losses
from training.method import RefineMethod
from training.refine_samples import RefineSamples, cut_patch
from training.samples import Batch
from training.score import area_under_curve


@dataclass(frozen=True)
class RefineTask:
    """S3 on patches around wrong starts; validated from the first network's own positions.

    Attributes:
        start_canvas_px: (N, K, 2) of the first network, for the validation parts.
    """

    samples: RefineSamples
    validation: NDArray[np.int64]
    start_canvas_px: NDArray[np.float32]
    name: str = "refine"

    def batch(self, step: int) -> Batch:
        """See `RefineSamples.batch`."""
        return self.samples.batch(step)

    def losses(self, network: nn.Module, batch: dict[str, Tensor]) -> Losses:
        """Distance, visibility and uncertainty, balanced by the method's weights."""
        offset, logits, sigma = network(batch["patches"], batch["keypoint"], batch["span"])
        target, weight, method = batch["offset"], batch["weight"], self.samples.refine
        return {
            "position": distance_loss(offset, target, weight),
            "visibility": losses.visibility_loss(logits, batch["visible"]) * method.visibility_weight,
            "sigma": losses.sigma_loss(offset, target, sigma, weight) * method.sigma_weight,
        }

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Mean, median and 95% error of visible keypoints in sensor px, and the area under the visibility curve."""
        canvas, parts = self.samples.canvas, self.validation
        xy, logits, _ = refine_predictions(network, canvas, parts, self.start_canvas_px, self.samples.refine)
        seen = canvas.state[parts] == VISIBLE
        error = distance_sensor_px(canvas, parts, xy)[seen]
        return {
            "mean_px": float(error.mean()),
            "median_px": float(np.median(error)),
            "p95_px": float(np.percentile(error, 95)),
            "auc": area_under_curve(logits[..., 0] - logits[..., 1], seen),
        }


def distance_loss(offset: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean pseudo-Huber distance: square near zero, linear beyond half a px, so that one bad start does not rule a batch.

    ``offset`` and ``target`` are (M, 2) in patch px; ``weight`` is (M,), 0 where no position is known.
    """
    distance = ((offset - target).square().sum(1) + 0.25).sqrt() - 0.5
    return (distance * weight).sum() / weight.sum().clamp_min(1.0)


@torch.no_grad()
def refine_predictions(
    network: nn.Module, canvas: Canvas, parts: NDArray[np.int64], start: NDArray[np.float32], refine: RefineMethod
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """All passes from ``start`` (N, K, 2): positions in canvas px, logits and sigma in canvas px of the last pass."""
    device = next(network.parameters()).device
    xy, logits, sigma = start.astype(np.float64), np.zeros(start.shape, np.float32), np.zeros(start.shape, np.float32)
    count, size = start.shape[1], refine.patch
    patches = np.empty((count, size, size), np.uint8)
    keypoint = torch.arange(count, device=device)
    for number, part in enumerate(parts):
        for index, span in enumerate(refine.spans_px):
            for centre, patch in zip(xy[number], patches, strict=True):
                pose = augment.similarity(0.0, size / span, (centre[0], centre[1]), ((size - 1) / 2, (size - 1) / 2))
                cut_patch(canvas.large[part], pose, span, patch)
            asked = torch.from_numpy(patches[..., None]).to(device), keypoint, torch.full_like(keypoint, index)
            offset, logits_, sigma_ = (output.float().cpu().numpy() for output in network(*asked))
            xy[number] += offset * (span / size)
            logits[number], sigma[number] = logits_, sigma_ * (span / size)
    return xy.astype(np.float32), logits, sigma
