"""S1: keypoints and visibility by regression from the small image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError
from training import losses
from training.method import CoarseMethod
from training.networks.backbone import BACKBONES, standardised
from training.networks.feature_extractor import Backbone
from training.networks.flow import Flow
from training.networks.heatmap import Heatmap
from training.networks.keypoint_network import KeypointNetwork, Losses
from training.networks.summary import Flattened, Pooled
from training.networks.uncertainty import sigma_px


class Regression(KeypointNetwork):
    """Feature extractor ▸ 1x1 convolution ▸ BatchNorm ▸ ReLU ▸ flatten ▸ fully connected.

    The head flattens instead of pooling: position is what it must report. It only beats pooling when it is
    conditioned, so its weights start small and its outputs are in units of a quarter of the image.

    Sigma reads the same flattened features by a layer of its own: on rendered parts it told errors apart better than
    from pooled ones (rank correlation with the error 0.31 against 0.24, one short training).
    """

    def __init__(
        self,
        backbone: Backbone,
        summary: Flattened | Pooled,
        keypoints: int,
        image_wh: tuple[int, int],
        method: CoarseMethod,
    ) -> None:
        super().__init__()
        width, height = image_wh
        self.keypoints, self.method = keypoints, method
        self.backbone, self.summary = backbone, summary
        self.head = nn.Linear(summary.outputs, keypoints * 4)  # x, y, exists, does not exist of each keypoint
        self.spread = nn.Linear(summary.outputs, keypoints * 2)  # log sigma of x and y
        for layer in (self.head, self.spread):
            nn.init.normal_(layer.weight, std=0.01 / (summary.outputs / 1024) ** 0.5)
            nn.init.zeros_(layer.bias)
        self.flow = Flow() if method.loss == "flow" else None
        self.register_buffer("centre", torch.tensor([(width - 1) / 2, (height - 1) / 2]))
        self.register_buffer("unit", torch.tensor([width / 4, height / 4]))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `KeypointNetwork.forward`."""
        features = self.summary(self.backbone(standardised(image)))
        # the head stays in float32: bf16 would quantise a position to about a pixel
        with torch.autocast(image.device.type, enabled=False):
            out = self.head(features).view(image.shape[0], self.keypoints, 4)
            # how sure it is must not change what it sees; only the flow's likelihood weighs both against each other
            seen = features.detach() if self.flow is None else features
            sigma = sigma_px(self.spread(seen).view(image.shape[0], self.keypoints, 2))
            return self.centre + out[..., :2] * self.unit, out[..., 2:] * self.visibility_scale, sigma

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """Squared error of positions, cross entropy of visibility, and what sigma misses of the errors.

        With a flow, ``flow`` is minimised for positions and sigma; ``position`` is then the squared error for the
        curves only: it has no gradient, so what it adds to the sum changes nothing.
        """
        xy, logits, sigma = self(batch["image"])
        target, weight = batch["xy"], batch["weight"]
        with torch.autocast(xy.device.type, enabled=False):
            position = losses.position_loss(xy, target, weight)
            seen = losses.visibility_loss(logits, batch["visible"]) * self.method.visibility_weight
            if self.flow is not None:
                unit = losses.UNIT_SMALL_PX
                flow = self.flow(xy / unit, target / unit, sigma / unit, weight)
                return {"position": position.detach(), "visibility": seen, "flow": flow}
            missed = losses.sigma_loss(xy, target, sigma, weight) * self.method.sigma_weight
            return {"position": position, "visibility": seen, "sigma": missed}


def regression(keypoints: int, image_wh: tuple[int, int], method: CoarseMethod) -> KeypointNetwork:
    """Build S1 for ``keypoints`` points of an image of ``image_wh`` px (multiples of the backbone's stride).

    Raises:
        ConfigError: the head has no such loss.
    """
    backbone = BACKBONES[method.backbone]()
    if method.head == "heatmap":
        if method.loss != "squared":
            raise ConfigError("a heatmap has no residual", where="coarse.loss", allowed='"squared"')
        return Heatmap(backbone, keypoints, method)
    summary: Flattened | Pooled
    if method.head in ("pooling", "pooling_linear"):
        hidden = 4 * method.compressed if method.head == "pooling" else None
        summary = Pooled(backbone.channels, 16 * method.compressed, hidden)
    else:
        map_wh = (image_wh[0] // backbone.stride, image_wh[1] // backbone.stride)
        summary = Flattened(backbone.channels, method.compressed, map_wh)
    return Regression(backbone, summary, keypoints, image_wh, method)
