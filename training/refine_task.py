"""The refine network of a view as a task for `fit`: what goes in, what is compared, what is measured on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.stages.turn import part_angle, turned
from pipeline.stages.visibility import probability
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
        samples, parts = self.samples, self.validation
        canvas = samples.canvas
        xy, logits, _ = refine_predictions(
            network, canvas, parts, self.start_canvas_px, samples.refine, samples.mean_shape
        )
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
    network: nn.Module,
    canvas: Canvas,
    parts: NDArray[np.int64],
    start: NDArray[np.float32],
    refine: RefineMethod,
    mean_shape: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """All passes from ``start`` (N, K, 2): positions in canvas px, logits and sigma in canvas px of the last pass.

    ``mean_shape`` is (K, 2) in any unit, for patches that are turned.
    """
    device = next(network.parameters()).device
    xy, logits, sigma = start.astype(np.float64), np.zeros(start.shape, np.float32), np.zeros(start.shape, np.float32)
    keypoint = torch.arange(start.shape[1], device=device)
    large, first = canvas.region(canvas.large)
    for number, part in enumerate(parts):
        for index, span in enumerate(refine.spans_px):
            angle = part_angle(mean_shape, xy[number], probability(logits[number])) if refine.turned else 0.0
            patches = _patches(large[part], xy[number] - first, span, refine.patch, angle)
            asked = torch.from_numpy(patches).to(device), keypoint, torch.full_like(keypoint, index)
            offset, logits[number], deviations = (output.float().cpu().numpy() for output in network(*asked))
            angles, scale = np.full(len(keypoint), angle), span / refine.patch
            xy[number] += turned(offset.astype(np.float64), angles) * scale
            sigma[number] = _turned_deviations(deviations, angle) * scale
    return xy.astype(np.float32), logits, sigma


def _patches(
    image: NDArray[np.uint8], centres: NDArray[np.float64], span: float, size: int, angle_rad: float
) -> NDArray[np.uint8]:
    """As the refine stage cuts them: uint8 (K, P, P, 1), around ``centres`` (K, 2)."""
    patches = np.empty((len(centres), size, size), np.uint8)
    middle = ((size - 1) / 2, (size - 1) / 2)
    for centre, patch in zip(centres.tolist(), patches, strict=True):
        pose = augment.similarity(-np.degrees(angle_rad), size / span, (centre[0], centre[1]), middle)
        cut_patch(image, pose, span, patch)
    return patches[..., None]


def _turned_deviations(sigma: NDArray[np.float32], angle_rad: float) -> NDArray[np.float64]:
    """Standard deviations (K, 2) along the axes of patches turned by ``angle_rad``, along those of the image."""
    along, across = np.cos(angle_rad) ** 2, np.sin(angle_rad) ** 2
    squares = sigma.astype(np.float64) ** 2
    return np.asarray(np.sqrt(along * squares + across * squares[:, ::-1]))
