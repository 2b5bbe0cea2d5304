"""An ordinary U-Net (Ronneberger et al. 2015, arXiv 1505.04597), all of it trained: what S4 is compared with."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.networks.backbone import conv_norm_relu, standardised

LEVELS = 4  # halvings
_RARE = -3.0  # logit at the start: few pixels are defect, and hundreds of steps would be spent on finding that out


class UNet(nn.Module):
    """Two 3x3 convolutions a level, channels doubled at each; mask logits as fine as the image.

    Its heatmap is the highest probability of the mask in each cell, so that it can be used as S4 is.
    """

    def __init__(self, image_wh: tuple[int, int], heatmap_wh: tuple[int, int], base: float) -> None:
        """For images of ``image_wh`` px, multiples of 2 to the `LEVELS`; about ``base`` channels at the first level."""
        super().__init__()
        self.image_wh, self.mask_wh, self.heatmap_wh = image_wh, image_wh, heatmap_wh
        widths = [round(base * 2**level) for level in range(LEVELS + 1)]
        self.down = nn.ModuleList(
            _twice(inputs, outputs) for inputs, outputs in zip([1, *widths[:-1]], widths, strict=True)
        )
        self.finer = nn.ModuleList(nn.ConvTranspose2d(deeper, width, 2, stride=2) for width, deeper in pairwise(widths))
        self.up = nn.ModuleList(_twice(2 * width, width) for width in widths[:-1])
        self.last = nn.Conv2d(widths[0], 1, 1)
        nn.init.constant_(cast(Tensor, self.last.bias), _RARE)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (N, H, W, 1) to mask logits float32 (N, H, W) and the heatmap float32 (N, Hh, Wh), 0 to 1."""
        logits = self.raw(image)
        columns, rows = self.heatmap_wh
        return logits, functional.adaptive_max_pool2d(logits.sigmoid()[:, None], (rows, columns))[:, 0]

    def raw(self, image: Tensor) -> Tensor:
        """The mask logits alone."""
        x = standardised(image)
        kept: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if level else x)
            kept.append(x)
        for finer, block, skip in zip(
            reversed(list(self.finer)), reversed(list(self.up)), reversed(kept[:-1]), strict=True
        ):
            x = block(torch.cat((finer(x), skip), dim=1))
        return cast(Tensor, self.last(x))[:, 0].float()


def unet_of(parameters: int, image_wh: tuple[int, int], heatmap_wh: tuple[int, int]) -> UNet:
    """The U-Net whose count of parameters comes closest to ``parameters``."""

    def size(base: float) -> int:
        with torch.device("meta"):
            return sum(weight.numel() for weight in UNet(image_wh, heatmap_wh, base).parameters())

    low, high = 4, 512  # quarters of a channel, between which the size grows
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle / 4) <= parameters else (low, middle)
    closest = min((low, high), key=lambda quarters: abs(size(quarters / 4) - parameters))
    return UNet(image_wh, heatmap_wh, closest / 4)


def _twice(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(conv_norm_relu(inputs, outputs), conv_norm_relu(outputs, outputs))
