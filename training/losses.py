"""Losses of positions, visibility and uncertainty. Each is 0 or more."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

UNIT_SMALL_PX = 4.0  # keeps the squared error of an untrained network near that of its visibility loss
SIGMA_FLOOR_PX = 0.05  # no position is known better


def position_loss(xy: Tensor, target_xy: Tensor, weight: Tensor) -> Tensor:
    """Mean squared distance in units of 4 px.

    Args:
        xy: (N, K, 2) in px of the image.
        target_xy: the same.
        weight: (N, K), 0 where no position is known.
    """
    squared = ((xy - target_xy) / UNIT_SMALL_PX).square().sum(2)
    return (squared * weight).sum() / weight.sum().clamp_min(1.0)


def sigma_loss(xy: Tensor, target_xy: Tensor, sigma: Tensor, weight: Tensor) -> Tensor:
    """How badly ``sigma`` tells the size of the residual r = xy - target_xy, which gets no gradient from it.

    Per axis t - 1 - log t with t = sqrt(pi / 2) sqrt(r² + e²) / sigma, e = `SIGMA_FLOOR_PX`. Up to a term that does
    not depend on sigma it is the negative log likelihood of a Laplace distribution, whose scale is set by the mean
    absolute residual: an outlier draws it far less than it draws a variance. The factor makes sigma the standard
    deviation where residuals are normal. It is 0 where sigma is the residual itself, so it does not go to 0 in
    training: a perfect sigma of normal residuals leaves 0.4. ``e`` keeps the logarithm finite.

    Args:
        xy: (..., 2) in px.
        target_xy: the same.
        sigma: (..., 2) above 0, in px.
        weight: (...), 0 where no position is known.
    """
    size = ((xy - target_xy).detach().square() + SIGMA_FLOOR_PX**2).sqrt() * math.sqrt(math.pi / 2)
    ratio = size / sigma
    return ((ratio - 1.0 - ratio.log()).mean(-1) * weight).sum() / weight.sum().clamp_min(1.0)


def visibility_loss(logits: Tensor, visible: Tensor) -> Tensor:
    """Mean cross entropy of logits (..., 2) [exists, does not exist] against bool (...)."""
    target = torch.where(visible, 0, 1)
    return functional.cross_entropy(logits.flatten(0, -2), target.flatten())
