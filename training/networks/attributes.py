"""Attributes of a sample, how much of the part is hidden and how far it is turned: the rarer, the more it counts."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_OCCLUSION_EDGES = (0.01, 0.1, 0.2, 0.35)  # shares of the keypoints
_TURNS = 36  # bins of 10 degrees
_MOST = 4.0  # a sample counts at most, and at least its inverse, times the average one
_MOMENTUM = 0.01


class Attributes(nn.Module):
    """Running distribution of occlusion and rotation, weights from it, and a head that must tell both (1902.10859).

    The head is not part of what ships: knowing both is asked of the features only while they are learnt.
    """

    occlusion_share: Tensor
    rotation_share: Tensor
    updates: Tensor

    def __init__(self, inputs: int) -> None:
        """``inputs``: size of the flattened features that the head reads."""
        super().__init__()
        bins = len(_OCCLUSION_EDGES) + 1
        self.register_buffer("occlusion_share", torch.full((bins,), 1.0 / bins))
        self.register_buffer("rotation_share", torch.full((_TURNS,), 1.0 / _TURNS))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self.head = nn.Linear(inputs, 3)  # share hidden, cosine and sine of the rotation
        nn.init.normal_(self.head.weight, std=0.3 / inputs**0.5)
        nn.init.zeros_(self.head.bias)

    @torch.no_grad()
    def weights(self, occluded: Tensor, rotation: Tensor) -> Tensor:
        """Weight (N,) of each sample, of mean 1: the inverse root of how often its two attributes occur.

        ``occluded`` (N,) in 0 to 1 and ``rotation`` (N,) in radians. In training the distribution takes in the batch
        first; it lies in buffers, so that a resumed run goes on with it.
        """
        hidden = torch.bucketize(occluded, torch.tensor(_OCCLUSION_EDGES, device=occluded.device), right=True)
        turned = torch.remainder((rotation / (2 * math.pi) + 0.5) * _TURNS, _TURNS).long().clamp_max(_TURNS - 1)
        if self.training:
            self.updates += 1
            momentum = max(_MOMENTUM, 1.0 / float(self.updates))
            for share, bins in ((self.occlusion_share, hidden), (self.rotation_share, turned)):
                share.lerp_(torch.bincount(bins, minlength=len(share)).to(share) / len(bins), momentum)
        often = self.occlusion_share[hidden] * self.rotation_share[turned]
        rare = often.clamp_min(1e-6).rsqrt()
        return _of_mean_one(_of_mean_one(rare).clamp(1.0 / _MOST, _MOST))

    def loss(self, flat: Tensor, occluded: Tensor, rotation: Tensor) -> Tensor:
        """Mean squared error of the share hidden, and of cosine and sine, told from ``flat`` (N, inputs)."""
        told = self.head(flat)
        truth = torch.stack((occluded, rotation.cos(), rotation.sin()), dim=1)
        return torch.mean((told - truth).square().sum(1))


def _of_mean_one(weights: Tensor) -> Tensor:
    return weights / weights.mean()
