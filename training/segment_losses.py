"""What S4 minimises: cross entropy and overlap of the mask, squared error of the heatmap. Each is 0 or more."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from training.segment_method import SegmentLoss


def mask_losses(logits: Tensor, target: Tensor, counted: Tensor, weigh: SegmentLoss) -> dict[str, Tensor]:
    """Cross entropy over all pixels that count, and dice over those of each image with a defect.

    Cross entropy alone is content with a mask that is empty: some 1% of the pixels are defect. Its weight for them is kept
    small, as it moves every probability upwards; the dice loss does not see how many other pixels there are. On images without a
    defect dice would be 1 for any mask, so these have the cross entropy alone.

    Args:
        logits: (N, H, W).
        target: (N, H, W), 0 to 1: share of the pixel that is defect.
        counted: (N, H, W) bool, pixels that count.
        weigh: the weights.
    """
    inside = counted.float()
    each = functional.binary_cross_entropy_with_logits(
        logits, target, reduction="none", pos_weight=logits.new_tensor(weigh.defect_weight)
    )
    found = {"entropy": (each * inside).sum() / inside.sum().clamp_min(1.0)}
    if weigh.dice_weight:
        probability, true = logits.sigmoid() * inside, target * inside
        area = true.sum((1, 2))
        both = (probability * true).sum((1, 2))
        dice = 1.0 - (2.0 * both + 1.0) / (probability.sum((1, 2)) + area + 1.0)
        has_defect = (area > 0).float()
        found["dice"] = weigh.dice_weight * (dice * has_defect).sum() / has_defect.sum().clamp_min(1.0)
    return found


def heatmap_loss(heatmap: Tensor, label: Tensor, counted: Tensor, ridge_weight: float) -> Tensor:
    """Mean squared error over the cells that count, each with the weight 1 + ``ridge_weight`` times its label.

    Args:
        heatmap: (N, Hh, Wh).
        label: the same, 0 to 1.
        counted: (N, Hm, Wm) bool.
        ridge_weight: 0 is the plain mean squared error.
    """
    inside = counting(counted, label)
    weight = inside * (1.0 + ridge_weight * label)
    return ((heatmap - label).square() * weight).sum() / torch.clamp_min(inside.sum(), 1.0)


def counting(counted: Tensor, heatmap: Tensor) -> Tensor:
    """1 for the cells of a heatmap (N, Hh, Wh) that count, else 0: a cell counts where one of its ``counted`` (N, Hm, Wm) does."""
    return functional.adaptive_max_pool2d(counted.float()[:, None], (heatmap.shape[1], heatmap.shape[2]))[:, 0]
