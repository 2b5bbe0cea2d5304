"""Vision of the keypoint model: a coarse map with a view of the whole image, and a fine map to find places on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

FINE = 4  # px of the image to a cell of the fine map
COARSE = 16
WIDTH = 64  # of the fine map
TOKEN_WIDTH = 128  # of the coarse map


class TeachEncoder(nn.Module):
    """A small residual network, transformer layers over its coarsest map, and a path back to the fine one.

    Of (N, 1, S, S) float32 from 0 to 1 it gives tokens (N, TOKEN_WIDTH, S / 16, S / 16) and the fine map
    (N, WIDTH, S / 4, S / 4).
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(_convolved(1, 16, 2), _convolved(16, 32, 2), Residual(32))
        self.middle = nn.Sequential(_convolved(32, 64, 2), Residual(64), Residual(64))
        self.deep = nn.Sequential(_convolved(64, TOKEN_WIDTH, 2), Residual(TOKEN_WIDTH), Residual(TOKEN_WIDTH))
        self.path = FinePath(side, (32, 64, TOKEN_WIDTH))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        first = self.stem((image - 0.4) / 0.25)
        second = self.middle(first)
        tokens, fine = self.path(first, second, self.deep(second))
        return tokens, fine


class BackboneEncoder(nn.Module):
    """The same from a Hugging Face vision backbone, which stays frozen: its last map, and the image's own edges.

    Args:
        backbone: an `AutoBackbone`; its feature map of the lowest stride is taken beside the last.
        side: of the images.
    """

    def __init__(self, backbone: Any, side: int) -> None:  # noqa: ANN401 - of transformers
        super().__init__()
        self.backbone = backbone.requires_grad_(False).eval()
        with torch.no_grad():
            maps = backbone(torch.zeros(1, 3, side, side)).feature_maps
        self.stem = nn.Sequential(_convolved(1, 16, 2), _convolved(16, 32, 2), Residual(32))
        self.middle = nn.Conv2d(maps[0].shape[1], 64, 1)
        self.deep = nn.Conv2d(maps[-1].shape[1], TOKEN_WIDTH, 1)
        self.path = FinePath(side, (32, 64, TOKEN_WIDTH))
        self.side = side

    def train(self, mode: bool = True) -> BackboneEncoder:
        """The backbone stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        grey = (image - 0.45) / 0.225
        with torch.no_grad():
            maps = self.backbone(grey.expand(-1, 3, -1, -1)).feature_maps
        eighth, sixteenth = self.side // 8, self.side // COARSE
        second = _resized(self.middle(maps[0]), eighth)
        deep = _resized(self.deep(maps[-1]), sixteenth)
        tokens, fine = self.path(self.stem(grey), second, deep)
        return tokens, fine


class FinePath(nn.Module):
    """Attention over the coarsest map, which is then added to the finer ones step by step."""

    def __init__(self, side: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        count = (side // COARSE) ** 2
        self.places = nn.Parameter(0.02 * torch.randn(1, count, TOKEN_WIDTH))
        self.mix = nn.ModuleList(
            nn.TransformerEncoderLayer(
                TOKEN_WIDTH, 4, 2 * TOKEN_WIDTH, 0.0, functional.gelu, batch_first=True, norm_first=True
            )
            for _ in range(3)
        )
        self.norm = nn.LayerNorm(TOKEN_WIDTH)
        self.lower, self.second = nn.Conv2d(TOKEN_WIDTH, WIDTH, 1), nn.Conv2d(widths[1], WIDTH, 1)
        self.eighth = Residual(WIDTH)
        self.first = nn.Conv2d(widths[0], WIDTH, 1)
        self.quarter = nn.Sequential(Residual(WIDTH), nn.Conv2d(WIDTH, WIDTH, 1))

    def forward(self, first: Tensor, second: Tensor, deep: Tensor) -> tuple[Tensor, Tensor]:
        """Maps of stride 4, 8 and 16 to tokens (N, TOKEN_WIDTH, h, w) and the fine map (N, WIDTH, H, W)."""
        n, c, h, w = deep.shape
        seen = deep.flatten(2).transpose(1, 2) + self.places
        for layer in self.mix:
            seen = layer(seen)
        tokens = self.norm(seen).transpose(1, 2).reshape(n, c, h, w)
        eighth = self.eighth(_twice(self.lower(tokens)) + self.second(second))
        return tokens, self.quarter(_twice(eighth) + self.first(first))


class Residual(nn.Module):
    """Two convolutions beside the way past them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolved(width, width, 1), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same."""
        return functional.relu(x + self.body(x))


def _convolved(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _resized(x: Tensor, side: int) -> Tensor:
    return functional.interpolate(x, (side, side), mode="bilinear", align_corners=False)
