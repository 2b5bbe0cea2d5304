"""How the head sees the last map: flattened, so that place is kept, or pooled, for comparison."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.networks.backbone import conv_norm_relu


class Flattened(nn.Module):
    """1x1 convolution that compresses channels ▸ BatchNorm ▸ ReLU ▸ flatten."""

    def __init__(self, channels: int, compressed: int, map_wh: tuple[int, int]) -> None:
        super().__init__()
        self.compress = conv_norm_relu(channels, compressed, kernel=1)
        self.outputs = compressed * map_wh[0] * map_wh[1]

    def forward(self, maps: Tensor) -> Tensor:
        """(N, channels, H, W) to float32 (N, compressed x H x W)."""
        flat: Tensor = self.compress(maps)
        return flat.float().flatten(1)


class Pooled(nn.Module):
    """1x1 convolution that widens ▸ BatchNorm ▸ ReLU ▸ global average pooling, and with ``hidden`` a hidden layer ▸ ReLU.

    Without one it is the head of classifiers. Widened and with a hidden layer it has as many parameters as the flattened
    head: what it then lacks is the place of what it saw, not size.
    """

    def __init__(self, channels: int, wide: int, hidden: int | None) -> None:
        super().__init__()
        self.widen = conv_norm_relu(channels, wide, kernel=1)
        self.hidden = nn.Linear(wide, hidden) if hidden else None
        self.outputs = hidden or wide

    def forward(self, maps: Tensor) -> Tensor:
        """(N, channels, H, W) to float32 (N, hidden or wide)."""
        pooled: Tensor = self.widen(maps)
        with torch.autocast(maps.device.type, enabled=False):
            mean = pooled.float().mean(dim=(2, 3))
            return mean if self.hidden is None else functional.relu(self.hidden(mean))
