"""The first network, or the second one of a cascade, as a task for `fit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.errors import DataError
from training.data import VISIBLE
from training.fit import Losses
from training.networks.keypoint_network import KeypointNetwork
from training.samples import Batch, ImageSamples
from training.score import area_under_curve

_CHUNK = 64


@dataclass(frozen=True)
class KeypointTask:
    """Random images to learn from; validated on the ``validation`` parts as they are.

    Raises:
        DataError: none of these parts shows a keypoint, so that nothing could be told of errors.
    """

    name: str
    samples: ImageSamples
    validation: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse before hours are spent."""
        if not (self.samples.canvas.state[self.validation] == VISIBLE).any():
            raise DataError(
                f"no keypoint is visible in the {len(self.validation)} parts kept for validation",
                where="split.validation",
                allowed="a larger share, or labels with visible keypoints (v = 2)",
            )

    def batch(self, step: int) -> Batch:
        """See `ImageSamples.batch`."""
        return self.samples.batch(step)

    def losses(self, network: nn.Module, batch: dict[str, Tensor]) -> Losses:
        """What the network's own method says."""
        return cast(KeypointNetwork, network).losses(batch)

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Mean and 95% error of visible keypoints in sensor px, and the area under the visibility curve."""
        device = next(network.parameters()).device
        distances, margins, seen = [], [], []
        for first in range(0, len(self.validation), _CHUNK):
            batch, scale = self.samples.plain(self.validation[first : first + _CHUNK], first)
            xy, logits, _ = network(torch.from_numpy(batch["image"]).to(device))
            difference = xy.float().cpu().numpy() - batch["xy"]
            distances.append(np.hypot(difference[..., 0], difference[..., 1]) * scale[:, None])
            margins.append((logits[..., 0] - logits[..., 1]).float().cpu().numpy())
            seen.append(np.asarray(batch["visible"], bool))
        visible = np.concatenate(seen)
        error = np.concatenate(distances)[visible]
        return {
            "mean_px": float(error.mean()),
            "p95_px": float(np.percentile(error, 95)),
            "auc": area_under_curve(np.concatenate(margins), visible),
        }
