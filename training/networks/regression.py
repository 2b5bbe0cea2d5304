"""S1: keypoints and visibility by regression from the small image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.networks.backbone import BACKBONES, Backbone, conv_norm_relu, standardised


class Regression(nn.Module):
    """Feature extractor ▸ 1x1 convolution ▸ BatchNorm ▸ ReLU ▸ flatten ▸ fully connected.

    The head flattens instead of pooling: position is what it must report. It only beats pooling when it is
    conditioned, so its weights start small and its outputs are in units of a quarter of the image.
    """

    def __init__(self, backbone: Backbone, keypoints: int, small_wh: tuple[int, int], compressed: int) -> None:
        super().__init__()
        width, height = small_wh
        self.keypoints = keypoints
        self.backbone = backbone
        self.compress = conv_norm_relu(backbone.channels, compressed, kernel=1)
        cells = (width // backbone.stride) * (height // backbone.stride)
        self.head = nn.Linear(compressed * cells, keypoints * 4)
        nn.init.normal_(self.head.weight, std=0.01 / (compressed * cells / 1024) ** 0.5)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("centre", torch.tensor([(width - 1) / 2, (height - 1) / 2]))
        self.register_buffer("unit", torch.tensor([width / 4, height / 4]))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Keypoints of a batch of small images.

        Args:
            image: uint8 (N, Hs, Ws, 1).

        Returns:
            xy float32 (N, K, 2) in small-image px (pixel centres) and visibility logits float32 (N, K, 2)
            [exists, does not exist].
        """
        features = self.compress(self.backbone(standardised(image)))
        # the head stays in float32: bf16 would quantise a position to about a pixel
        with torch.autocast(image.device.type, enabled=False):
            out = self.head(features.float().flatten(1)).view(image.shape[0], self.keypoints, 4)
        return self.centre + out[..., :2] * self.unit, out[..., 2:]


def regression(keypoints: int, small_wh: tuple[int, int], *, backbone: str, compressed: int) -> Regression:
    """Build S1 for ``keypoints`` points of an image of ``small_wh`` px (multiples of the backbone's stride)."""
    return Regression(BACKBONES[backbone](), keypoints, small_wh, compressed)
