"""Losses of S1 and S3. Each is 0 or more and goes to 0 as the network converges."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

UNIT_SMALL_PX = 4.0  # keeps the squared error of an untrained network near that of its visibility loss


def coarse_loss(
    xy: Tensor, logits: Tensor, target_xy: Tensor, weight: Tensor, visible: Tensor
) -> tuple[Tensor, Tensor]:
    """Squared error of positions and cross entropy of visibility.

    ``xy`` and ``target_xy`` are (N, K, 2) in small-image px, ``logits`` (N, K, 2) [exists, does not exist], ``weight``
    (N, K) is that of each position, 0 where none is known, and ``visible`` (N, K) bool.

    Returns:
        Mean squared error in units of 4 px, and mean cross entropy.
    """
    squared = ((xy - target_xy) / UNIT_SMALL_PX).square().sum(2)
    position = (squared * weight).sum() / weight.sum().clamp_min(1.0)
    return position, visibility_loss(logits, visible)


def visibility_loss(logits: Tensor, visible: Tensor) -> Tensor:
    """Mean cross entropy of logits (..., 2) [exists, does not exist] against bool (...)."""
    target = torch.where(visible, 0, 1)
    return functional.cross_entropy(logits.flatten(0, -2), target.flatten())
