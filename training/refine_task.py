"""The refine network of a view as a task for `fit`: what goes in, what is compared, what is measured on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training import augment, losses
from training.canvas import Canvas
from training.coarse_to_fine import distance_sensor_px
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
        """Distance and visibility, balanced by the method's ``visibility_weight``."""
        offset, logits = network(batch["patches"], batch["keypoint"], batch["span"])
        position, seen = refine_loss(offset, logits, batch["offset"], batch["weight"], batch["visible"])
        return {"position": position, "visibility": seen * self.samples.refine.visibility_weight}

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Mean, median and 95% error of visible keypoints in sensor px, and the area under the visibility curve."""
        canvas, parts = self.samples.canvas, self.validation
        xy, logits = refine_predictions(network, canvas, parts, self.start_canvas_px, self.samples.refine)
        seen = canvas.state[parts] == VISIBLE
        error = distance_sensor_px(canvas, parts, xy)[seen]
        return {
            "mean_px": float(error.mean()),
            "median_px": float(np.median(error)),
            "p95_px": float(np.percentile(error, 95)),
            "auc": area_under_curve(logits[..., 0] - logits[..., 1], seen),
        }


def refine_loss(
    offset: Tensor, logits: Tensor, target: Tensor, weight: Tensor, visible: Tensor
) -> tuple[Tensor, Tensor]:
    """Pseudo-Huber distance of offsets and cross entropy of visibility.

    ``offset`` and ``target`` are (M, 2) in patch px, ``logits`` (M, 2), ``weight`` (M,) and ``visible`` (M,) bool.

    Returns:
        Mean distance, square near zero and linear beyond half a px so that one bad start does not rule a batch, and
        mean cross entropy.
    """
    squared = (offset - target).square().sum(1)
    distance = (squared + 0.25).sqrt() - 0.5
    return (distance * weight).sum() / weight.sum().clamp_min(1.0), losses.visibility_loss(logits, visible)


@torch.no_grad()
def refine_predictions(
    network: nn.Module, canvas: Canvas, parts: NDArray[np.int64], start: NDArray[np.float32], refine: RefineMethod
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """All passes from ``start`` (N, K, 2): positions in canvas px and logits of the last pass (N, K, 2)."""
    device = next(network.parameters()).device
    xy, scores = start.astype(np.float64).copy(), np.zeros((*start.shape[:2], 2), np.float32)
    count, size = start.shape[1], refine.patch
    keypoint = torch.arange(count, device=device)
    middle = ((size - 1) / 2, (size - 1) / 2)
    for number, part in enumerate(parts):
        for index, span in enumerate(refine.spans_px):
            patches = np.stack(
                [
                    cut_patch(canvas.large[part], augment.similarity(0.0, size / span, (x, y), middle), size, span)
                    for x, y in xy[number]
                ]
            )
            offset, logits = network(
                torch.from_numpy(patches[..., None]).to(device), keypoint, torch.full_like(keypoint, index)
            )
            xy[number] += offset.float().cpu().numpy() * (span / size)
            scores[number] = logits.float().cpu().numpy()
    return xy.astype(np.float32), scores
