"""Heatmaps and their highest cell, for comparison with regression (Xiao et al. 2018, arXiv 1804.06208)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from training import losses
from training.method import CoarseMethod
from training.networks.backbone import standardised
from training.networks.feature_extractor import Backbone
from training.networks.keypoint_network import KeypointNetwork, Losses
from training.networks.uncertainty import sigma_px

STRIDE = 4
_CELLS = 1.5  # deviation of the target's peak
_SHARPNESS = 10.0  # of the weights by which features around the peak are gathered


def _doubled(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Heatmap(KeypointNetwork):
    """Feature extractor ▸ two transposed convolutions ▸ one map a keypoint at a quarter of the image's size.

    The position is the highest cell, moved by a quarter of a cell towards the higher one of its neighbours.
    Where two cells are equal but for rounding, two engines may differ by their distance: regression has no such jumps.
    Visibility and sigma come from the features around the peak, and its height, by a fully connected layer for each
    keypoint.
    """

    def __init__(self, backbone: Backbone, keypoints: int, method: CoarseMethod) -> None:
        super().__init__()
        self.method, self.backbone = method, backbone
        width = method.compressed
        self.upsample = nn.Sequential(_doubled(backbone.channels, width), _doubled(width, width))
        self.map = nn.Conv2d(width, keypoints, 1)
        nn.init.normal_(self.map.weight, std=0.001)
        nn.init.zeros_(cast(Tensor, self.map.bias))  # rounding on top of a bias would decide which cell is highest
        # exists, does not exist, log sigma of x and y
        self.verdict = nn.Parameter(0.1 * torch.randn(keypoints, width + 1, 4))
        self.bias = nn.Parameter(torch.zeros(keypoints, 4))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `KeypointNetwork.forward`."""
        maps, out = self._maps(image)
        return peak_px(maps), out[..., :2] * self.visibility_scale, sigma_px(out[..., 2:])

    def _maps(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """float32 maps (N, K, H / 4, W / 4), and for each keypoint two logits and two log sigmas (N, K, 4)."""
        features = self.upsample(self.backbone(standardised(image)))
        with torch.autocast(image.device.type, enabled=False):
            features = features.float()
            maps = self.map(features)
            weight = (_SHARPNESS * maps.detach().flatten(2)).softmax(dim=2)
            around = weight @ features.flatten(2).transpose(1, 2)  # (N, K, C)
            height = (weight * maps.detach().flatten(2)).sum(2, keepdim=True)
            logits = self._read(torch.cat((around, height), dim=2))[..., :2]
            # how sure it is must not change what it sees
            spread = self._read(torch.cat((around.detach(), height), dim=2))[..., 2:]
            return maps, torch.cat((logits, spread), dim=2)

    def _read(self, about: Tensor) -> Tensor:
        return torch.einsum("nkc,kco->nko", about, self.verdict) + self.bias

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """Squared error of the maps over that of empty ones, cross entropy of visibility, sigma of the found peaks."""
        maps, out = self._maps(batch["image"])
        target, weight = batch["xy"], batch["weight"]
        with torch.autocast(maps.device.type, enabled=False):
            seen = losses.visibility_loss(out[..., :2], batch["visible"])
            missed = losses.sigma_loss(peak_px(maps), target, sigma_px(out[..., 2:]), weight)
            return {
                "position": heatmap_loss(maps, target, weight),
                "visibility": seen * self.method.visibility_weight,
                "sigma": missed * self.method.sigma_weight,
            }


def heatmap_loss(maps: Tensor, target_xy: Tensor, weight: Tensor) -> Tensor:
    """Squared difference from a peak of height 1 at the keypoint, over the sum of that peak's squares.

    Args:
        maps: (N, K, H, W).
        target_xy: (N, K, 2) in px of the image, `STRIDE` of them a cell.
        weight: (N, K), 0 where no position is known.

    Returns:
        The mean over keypoints: 0 at the truth, 1 for empty maps.
    """
    cells = (target_xy.float() + 0.5) / STRIDE - 0.5
    across = torch.arange(maps.shape[3], device=maps.device) - cells[..., :1]  # (N, K, W)
    down = torch.arange(maps.shape[2], device=maps.device) - cells[..., 1:]  # (N, K, H)
    peak = torch.exp(-0.5 * (across[:, :, None].square() + down[..., None].square()) / _CELLS**2)
    inside = weight * ((cells > -0.5) & (cells < cells.new_tensor([maps.shape[3], maps.shape[2]]) - 0.5)).all(2)
    share = (maps - peak).square().sum((2, 3)) / peak.square().sum((2, 3)).clamp_min(1.0)
    return (share * inside).sum() / inside.sum().clamp_min(1.0)


def peak_px(maps: Tensor) -> Tensor:
    """Highest cell of (N, K, H, W), moved a quarter cell towards the higher neighbour, as (N, K, 2) px of the image."""
    high, wide = maps.shape[2], maps.shape[3]
    padded = functional.pad(maps, (1, 1, 1, 1), mode="replicate").flatten(2)  # an edge has no slope outwards
    best = maps.flatten(2).argmax(dim=2, keepdim=True)
    x, y = best % wide, best // wide
    at = (y + 1) * (wide + 2) + x + 1

    def slope(step: int) -> Tensor:
        return torch.sign(padded.gather(2, at + step) - padded.gather(2, at - step))

    # at an edge only the inner neighbour is lower than the peak: that says nothing of where the peak lies
    inner_x, inner_y = (x > 0) & (x < wide - 1), (y > 0) & (y < high - 1)
    cells = torch.cat((x + 0.25 * slope(1) * inner_x, y + 0.25 * slope(wide + 2) * inner_y), dim=2)
    return (cells + 0.5) * STRIDE - 0.5
