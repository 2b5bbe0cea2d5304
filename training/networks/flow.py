"""The density of residuals, learnt beside the network and left behind when it ships (RealNVP, arXiv 1605.08803)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_MASKS = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(3, 1)


def _layers(width: int, *, bounded: bool) -> nn.Sequential:
    last = nn.Linear(width, 2)
    nn.init.zeros_(last.weight)  # the flow starts as a normal distribution
    nn.init.zeros_(last.bias)
    inner = (nn.Linear(2, width), nn.LeakyReLU(), nn.Linear(width, width), nn.LeakyReLU())
    return nn.Sequential(*inner, last, nn.Tanh()) if bounded else nn.Sequential(*inner, last)


class Flow(nn.Module):
    """Six couplings between x and y; each scales and moves one of them by what the other one is."""

    masks: Tensor

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.register_buffer("masks", _MASKS.clone())
        self.scales = nn.ModuleList(_layers(width, bounded=True) for _ in _MASKS)
        self.shifts = nn.ModuleList(_layers(width, bounded=False) for _ in _MASKS)

    def log_density(self, residual: Tensor) -> Tensor:
        """(M, 2) residuals over their sigma to (M,), the logarithm of their joint density."""
        z, log_volume = residual, torch.zeros_like(residual[:, 0])
        for mask, scale, shift in zip(self.masks, self.scales, self.shifts, strict=True):
            kept = mask * z
            by = scale(kept) * (1.0 - mask)
            z = kept + (1.0 - mask) * (z - shift(kept)) * torch.exp(-by)
            log_volume = log_volume - by.sum(1)
        return log_volume - 0.5 * z.square().sum(1) - math.log(2 * math.pi)

    def forward(self, xy: Tensor, target_xy: Tensor, sigma: Tensor, weight: Tensor) -> Tensor:
        """Residual log-likelihood estimation (Li et al. 2021, arXiv 2107.11291).

        The sum of two negative log likelihoods of the residual r, both of its scale sigma: of this flow,
        sum log sigma - log phi(r / sigma), and of a Laplace distribution of deviation sigma,
        sum log sigma + sqrt(2) |r| / sigma + log sqrt(2); sums are over x and y. As in its authors' code the constant
        that would normalise the product of the two is left out. It may be below 0.

        Args:
            xy: (N, K, 2).
            target_xy: the same, in the same unit.
            sigma: (N, K, 2) above 0, in the same unit.
            weight: (N, K), 0 where no position is known: those do not count, whatever their target is.

        Returns:
            The weighted mean over keypoints.
        """
        known = weight > 0
        sigma, weight = sigma[known], weight[known]
        residual = (xy[known] - target_xy[known]) / sigma
        laplace = math.sqrt(2.0) * residual.abs() + 0.5 * math.log(2.0)
        loss = (2.0 * sigma.log() + laplace).sum(1) - self.log_density(residual)
        return (loss * weight).sum() / weight.sum().clamp_min(1.0)
