"""ShuffleNetV2 (Ma et al. 2018, arXiv 1807.11164) in the layout of published backbone weights.

Names and shapes of the tensors are those of ``shufflenetv2.pth`` of FastestDet, so that its file loads as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.networks.feature_extractor import Backbone


def _norm(inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


class Shuffle(nn.Module):
    """One unit. With stride 1 every second channel passes by, which also mixes the two halves of the unit before."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        middle = outputs // 2
        entering = inputs if stride == 2 else inputs // 2
        self.branch_main = nn.Sequential(
            *_norm(entering, middle, kernel=1),
            nn.ReLU(inplace=True),
            *_norm(middle, middle, kernel=3, stride=stride, groups=middle),
            *_norm(middle, outputs - entering, kernel=1),
            nn.ReLU(inplace=True),
        )
        self.branch_proj = None
        if stride == 2:
            self.branch_proj = nn.Sequential(
                *_norm(inputs, inputs, kernel=3, stride=2, groups=inputs),
                *_norm(inputs, inputs, kernel=1),
                nn.ReLU(inplace=True),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        if self.branch_proj is not None:
            return torch.cat((self.branch_proj(x), self.branch_main(x)), dim=1)
        return torch.cat((x[:, 0::2], self.branch_main(x[:, 1::2])), dim=1)


# The weights know images from 0 to 1; this is about the mean and deviation of a photograph there.
_MEAN, _DEVIATION = 0.45, 0.225


class ShuffleNet(Backbone):
    """Stem and three stages. The last stage (stride 32) is brought back to stride 16 beside the one before.

    The grey image goes into all three colour channels: as convolution is linear, that is one channel with the sum of
    the three kernels, and `training.networks.backbone.initialise` adds them up.
    """

    def __init__(self, first: int, stages: tuple[int, int, int], units: tuple[int, int, int]) -> None:
        super().__init__()
        self.first_conv = nn.Sequential(*_norm(1, first, kernel=3, stride=2), nn.ReLU(inplace=True))
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        widths = (first, *stages)
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(Shuffle(before, after, 2), *(Shuffle(after, after, 1) for _ in range(count - 1)))
            for before, after, count in zip(widths, stages, units, strict=False)
        )
        self.stage_channels = stages
        self.early_channels, self.early_stride = stages[0], 8
        self.channels, self.stride = stages[1] + stages[2], 16

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See `Backbone.features`."""
        early, middle = self.stages(x)
        last = functional.interpolate(self.stage4(middle), size=middle.shape[2:], mode="nearest")
        return early, torch.cat((middle, last), dim=1)

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the first two stages give, at strides 8 and 16."""
        early = self.stage2(self.maxpool(self.first_conv(_MEAN + _DEVIATION * x)))
        return early, self.stage3(early)


def shufflenet_backbone() -> ShuffleNet:
    """For pretrained weights: stride 16 (and 32), 0.14 M parameters."""
    return ShuffleNet(24, (48, 96, 192), (4, 8, 4))
