"""S1: keypoints and visibility by regression from the small image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training import losses
from training.method import CoarseMethod
from training.networks.backbone import BACKBONES, conv_norm_relu, standardised
from training.networks.feature_extractor import Backbone
from training.networks.keypoint_network import KeypointNetwork, Losses

FIRST_SIGMA_PX = 4.0
_LOG_SIGMA = (-3.0, 4.0)  # reach of log sigma around log FIRST_SIGMA_PX: 0.2 px to 218 px


class Regression(KeypointNetwork):
    """Feature extractor ▸ 1x1 convolution ▸ BatchNorm ▸ ReLU ▸ flatten ▸ fully connected.

    The head flattens instead of pooling: position is what it must report. It only beats pooling when it is
    conditioned, so its weights start small and its outputs are in units of a quarter of the image.
    """

    def __init__(self, backbone: Backbone, keypoints: int, image_wh: tuple[int, int], method: CoarseMethod) -> None:
        super().__init__()
        width, height = image_wh
        self.keypoints, self.method = keypoints, method
        self.backbone = backbone
        self.compress = conv_norm_relu(backbone.channels, method.compressed, kernel=1)
        features = method.compressed * (width // backbone.stride) * (height // backbone.stride)
        self.head = nn.Linear(features, keypoints * 4)  # x, y, exists, does not exist of each keypoint
        nn.init.normal_(self.head.weight, std=0.01 / (features / 1024) ** 0.5)
        nn.init.zeros_(self.head.bias)
        self.spread = nn.Linear(features, keypoints * 2)
        nn.init.normal_(self.spread.weight, std=0.01 / (features / 1024) ** 0.5)
        nn.init.zeros_(self.spread.bias)
        self.register_buffer("centre", torch.tensor([(width - 1) / 2, (height - 1) / 2]))
        self.register_buffer("unit", torch.tensor([width / 4, height / 4]))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `KeypointNetwork.forward`."""
        maps = self.compress(self.backbone(standardised(image)))
        # the head stays in float32: bf16 would quantise a position to about a pixel
        with torch.autocast(image.device.type, enabled=False):
            features = maps.float().flatten(1)
            out = self.head(features).view(image.shape[0], self.keypoints, 4)
            # detached: how sure it is must not change what it sees
            sigma = sigma_px(self.spread(features.detach()).view(image.shape[0], self.keypoints, 2))
            return self.centre + out[..., :2] * self.unit, out[..., 2:] * self.visibility_scale, sigma

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """Squared error of positions, cross entropy of visibility, and what sigma misses of the errors."""
        xy, logits, sigma = self(batch["image"])
        with torch.autocast(xy.device.type, enabled=False):
            return {
                "position": losses.position_loss(xy, batch["xy"], batch["weight"]),
                "visibility": losses.visibility_loss(logits, batch["visible"]) * self.method.visibility_weight,
                "sigma": losses.sigma_loss(xy, batch["xy"], sigma, batch["weight"]) * self.method.sigma_weight,
            }


def sigma_px(log_sigma: Tensor) -> Tensor:
    """Standard deviation in px of a network's output, which is 0 where it knows nothing."""
    return FIRST_SIGMA_PX * log_sigma.clamp(*_LOG_SIGMA).exp()


def regression(keypoints: int, image_wh: tuple[int, int], method: CoarseMethod) -> KeypointNetwork:
    """Build S1 for ``keypoints`` points of an image of ``image_wh`` px (multiples of the backbone's stride)."""
    return Regression(BACKBONES[method.backbone](), keypoints, image_wh, method)
