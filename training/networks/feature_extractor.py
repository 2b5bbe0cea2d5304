"""What every backbone gives: a map that knows what is there, and an earlier one that still knows exactly where."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn


class Backbone(nn.Module):
    """Maps of a standardised image.

    Attributes:
        channels, stride: of the last map.
        early_channels, early_stride: of the earlier node, half the stride of the last.
    """

    channels: int
    stride: int
    early_channels: int
    early_stride: int

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, channels, H / stride, W / stride)."""
        return self.features(x)[1]

    @abstractmethod
    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, H, W) to the earlier map (N, early_channels, H / early_stride, W / early_stride) and the last one."""
