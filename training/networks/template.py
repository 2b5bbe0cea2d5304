"""S2: keypoints as a weighted sum of templates, corrected from an earlier node of the network."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training import losses, shapes
from training.method import CoarseMethod
from training.networks.attributes import Attributes
from training.networks.backbone import BACKBONES, conv_norm_relu, standardised
from training.networks.feature_extractor import Backbone
from training.networks.keypoint_network import KeypointNetwork, Losses
from training.networks.uncertainty import sigma_px


class Found(NamedTuple):
    """What the network makes of a batch, all float32.

    Attributes:
        first, xy: (N, K, 2) in px of the image: the prior alone, and with the correction.
        logits: (N, K, 2) [exists, does not exist].
        sigma: (N, K, 2) in px.
        flat: (N, F), the features all of this but the correction was told from.
    """

    first: Tensor
    xy: Tensor
    logits: Tensor
    sigma: Tensor
    flat: Tensor


class Template(KeypointNetwork):
    """Two branches: class probabilities over templates give the first keypoints, an earlier node their correction.

    The last node (1x1 convolution ▸ BatchNorm ▸ ReLU ▸ flatten ▸ fully connected ▸ softmax) knows the part as a whole
    and can only say what parts look like; the earlier one still knows where exactly an edge was. Each has a loss.
    """

    templates: Tensor
    unit: Tensor

    def __init__(
        self, backbone: Backbone, templates_px: Tensor, image_wh: tuple[int, int], method: CoarseMethod
    ) -> None:
        """``templates_px``: float32 (T, K, 2)."""
        super().__init__()
        width, height = image_wh
        keypoints = templates_px.shape[1]
        self.method, self.switches, self.keypoints = method, method.template, keypoints
        self.backbone = backbone
        self.compress = conv_norm_relu(backbone.channels, method.compressed, kernel=1)
        cells = (width // backbone.stride) * (height // backbone.stride)
        features = method.compressed * cells
        self.head = _linear(features, len(templates_px) if self.switches.prior else keypoints * 2)
        self.verdict = _linear(features, keypoints * 2)  # exists, does not exist of each keypoint
        self.spread = _linear(features, keypoints * 2)
        if self.switches.second_branch:
            channels = max(4, method.compressed // 2)
            stride = backbone.stride // backbone.early_stride
            self.early = conv_norm_relu(backbone.early_channels, channels, stride=stride)
            self.correction = _linear(channels * cells, keypoints * 2)
        if self.switches.attribute_weights:
            self.attributes = Attributes(features)
        self.register_buffer("templates", templates_px.flatten(1))
        self.register_buffer("unit", torch.tensor([width / 4, height / 4]))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `KeypointNetwork.forward`."""
        found = self.find(image)
        return found.xy, found.logits, found.sigma

    def find(self, image: Tensor) -> Found:
        """Both detections of uint8 or float (N, H, W, 1)."""
        early, last = self.backbone.features(standardised(image))
        maps = self.compress(last)
        if self.switches.second_branch:
            early = self.early(early)
        # the heads stay in float32: bf16 would quantise a position to about a pixel
        with torch.autocast(image.device.type, enabled=False):
            flat = maps.float().flatten(1)
            first = self._first(flat)
            xy = first
            if self.switches.second_branch:
                xy = first + self._points(self.correction(early.float().flatten(1))) * self.unit
            # detached: how sure it is must not change what it sees
            sigma = sigma_px(self._points(self.spread(flat.detach())))
            return Found(first, xy, self._points(self.verdict(flat)) * self.visibility_scale, sigma, flat)

    def probabilities(self, flat: Tensor) -> Tensor:
        """(N, T), of each template; they sum to 1."""
        probabilities: Tensor = self.head(flat).softmax(1)
        return probabilities

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """Squared error of the combination (``position``) and of the first detection alone (``first``), and the rest."""
        found = self.find(batch["image"])
        with torch.autocast(found.xy.device.type, enabled=False):
            weight = batch["weight"]
            named = {
                "visibility": losses.visibility_loss(found.logits, batch["visible"]) * self.method.visibility_weight,
                "sigma": losses.sigma_loss(found.xy, batch["xy"], found.sigma, weight) * self.method.sigma_weight,
            }
            if self.switches.attribute_weights:
                attributes = batch["occluded"].float(), batch["rotation"].float()
                weight = weight * self.attributes.weights(*attributes)[:, None]
                named["attributes"] = self.attributes.loss(found.flat, *attributes) * self.switches.attribute_weight
            if self.switches.second_branch:
                named["first"] = losses.position_loss(found.first, batch["xy"], weight)
            return {"position": losses.position_loss(found.xy, batch["xy"], weight), **named}

    def _first(self, flat: Tensor) -> Tensor:
        if self.switches.prior:
            return self._points(self.probabilities(flat) @ self.templates)
        return self._points(self.templates.mean(0)) + self._points(self.head(flat)) * self.unit

    def _points(self, flat: Tensor) -> Tensor:
        return flat.view(-1, self.keypoints, 2)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """Starts near 0, so that the first keypoints are the mean of the templates and nothing is known of visibility."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=0.01 / (inputs / 1024) ** 0.5)
    nn.init.zeros_(layer.bias)
    return layer


def template(
    keypoints: int, image_wh: tuple[int, int], method: CoarseMethod, shapes_px: NDArray[np.floating]
) -> KeypointNetwork:
    """Build S2 for ``keypoints`` points of an image of ``image_wh`` px (multiples of the backbone's stride).

    ``shapes_px`` (S, K, 2) finite: keypoints of the training parts in px of that image, in the poses it will see; the
    templates are learnt from them.
    """
    learnt = shapes.templates(np.asarray(shapes_px, np.float64).reshape(-1, keypoints, 2), method.template.count, 0)
    return Template(BACKBONES[method.backbone](), torch.from_numpy(learnt).float(), image_wh, method)
