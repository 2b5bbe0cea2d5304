"""S2: a network before the first one that turns, moves and scales the image to the mean pose."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training import shapes
from training.losses import UNIT_SMALL_PX
from training.method import CoarseMethod
from training.networks.backbone import conv_norm_relu, standardised
from training.networks.keypoint_network import KeypointNetwork, Losses


class Pose(NamedTuple):
    """Similarity from the rectified image to the image: xy_image = turn · (xy_rectified - middle) + at.

    Attributes:
        turn: (N, 2), cosine and sine of the rotation times the scale: a complex factor.
        at: (N, 2), where the middle of the mean shape lies in the image, px.
        middle: (2,), where it lies in the rectified image, px.
    """

    turn: Tensor
    at: Tensor
    middle: Tensor

    def to_image(self, xy: Tensor) -> Tensor:
        """(N, ..., 2) of the rectified image to px of the image."""
        return _product(_spread(self.turn, xy), xy - self.middle) + _spread(self.at, xy)

    def to_rectified(self, xy: Tensor) -> Tensor:
        """(N, ..., 2) of the image to px of the rectified image: the exact inverse."""
        inverse = self.turn * self.turn.new_tensor([1.0, -1.0]) / self.turn.square().sum(1, keepdim=True)
        return _product(_spread(inverse, xy), xy - _spread(self.at, xy)) + self.middle

    def sigma_to_image(self, sigma: Tensor) -> Tensor:
        """Standard deviations (N, K, 2) of x and y, taken as independent, of points that `to_image` maps."""
        x, y = _spread(self.turn.square(), sigma).unbind(-1)
        return (torch.stack((x, y), -1) * sigma[..., :1] ** 2 + torch.stack((y, x), -1) * sigma[..., 1:] ** 2).sqrt()


def warp(image: Tensor, pose: Pose) -> Tensor:
    """The rectified image: each of its pixels is read where ``pose`` says it lies in ``image``, linearly.

    Both are float (N, H, W, 1); beyond the border the nearest pixel is read. Pixel centres lie at integers: x goes to
    (2 x + 1) / W - 1 for `grid_sample`, whose -1 and 1 are the outer borders of the outer pixels.
    """
    height, width = image.shape[1:3]
    x = torch.arange(width, device=image.device, dtype=torch.float32).expand(height, width) - pose.middle[0]
    y = torch.arange(height, device=image.device, dtype=torch.float32)[:, None].expand(height, width) - pose.middle[1]
    (cosine, sine), (at_x, at_y) = pose.turn.unbind(1), pose.at.unbind(1)
    to_x = torch.stack((2 * cosine / width, -2 * sine / width, (2 * at_x + 1) / width - 1), 1)
    to_y = torch.stack((2 * sine / height, 2 * cosine / height, (2 * at_y + 1) / height - 1), 1)
    # one matrix product: in engines it costs a third of the same sums written out
    grid = torch.stack((x, y, torch.ones_like(x)), -1).view(-1, 3) @ torch.stack((to_x, to_y), 2)
    grid = grid.view(-1, height, width, 2)
    taken = functional.grid_sample(image.permute(0, 3, 1, 2), grid, padding_mode="border", align_corners=False)
    return taken.permute(0, 2, 3, 1)


class Rectified(KeypointNetwork):
    """A spatial transformer (1506.02025) before ``network``; its keypoints are mapped back by the exact inverse.

    A small network on the image at half its size tells the part's pose. It learns it from the pose that is known in
    training, and from what the losses of ``network`` say through the warp. It starts at the identity.
    """

    mean_px: Tensor
    middle: Tensor
    unit: Tensor

    def __init__(
        self,
        network: KeypointNetwork,
        image_wh: tuple[int, int],
        shapes_px: NDArray[np.floating],
        method: CoarseMethod,
    ) -> None:
        """``shapes_px`` (S, K, 2) finite, in px of the image; their mean shape in the mean pose is what is aimed at."""
        super().__init__()
        width, height = image_wh
        self.network, self.method = network, method
        mean_px = torch.from_numpy(shapes.mean_shape_px(np.asarray(shapes_px, np.float64))).float()
        self.register_buffer("mean_px", mean_px)
        self.register_buffer("middle", mean_px.mean(0))
        self.register_buffer("unit", torch.tensor([width / 4, height / 4]))
        self.locate = nn.Sequential(
            conv_norm_relu(1, 12, stride=2),
            conv_norm_relu(12, 24, stride=2),
            conv_norm_relu(24, 32, stride=2),
            conv_norm_relu(32, 16, kernel=1),
            nn.Flatten(),
        )
        self.hidden = nn.Linear(16 * -(-width // 16) * -(-height // 16), 48)
        self.told = nn.Linear(48, 5)  # rotation and scale as a direction and a logarithm, and the place
        nn.init.zeros_(self.told.weight)
        nn.init.zeros_(self.told.bias)

    def pose(self, image: Tensor) -> Pose:
        """Where the part lies in uint8 (N, H, W, 1); a direction, not an angle: it has no jump (1812.07035)."""
        seen = self.locate(functional.avg_pool2d(standardised(image), 2))
        with torch.autocast(image.device.type, enabled=False):
            told = self.told(functional.relu(self.hidden(seen.float())))
            direction = functional.normalize(told[:, :2] + told.new_tensor([1.0, 0.0]), eps=1e-6)
            return Pose(
                direction * told[:, 2:3].clamp(-2.0, 2.0).exp(), self.middle + told[:, 3:] * self.unit, self.middle
            )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `KeypointNetwork.forward`."""
        pose = self.pose(image)
        with torch.autocast(image.device.type, enabled=False):
            rectified = warp(image.float(), pose)
        xy, logits, sigma = self.network(rectified)
        with torch.autocast(image.device.type, enabled=False):
            return pose.to_image(xy), logits * self.visibility_scale, pose.sigma_to_image(sigma)

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """Those of the network behind, in px of the rectified image, and ``pose``."""
        pose = self.pose(batch["image"])
        with torch.autocast(batch["image"].device.type, enabled=False):
            turned = torch.atan2(pose.turn[:, 1], pose.turn[:, 0])
            left = batch["rotation"].float() - turned.detach()
            rectified = {
                **batch,
                "image": warp(batch["image"].float(), pose),
                "xy": pose.to_rectified(batch["xy"]),
                "rotation": torch.atan2(left.sin(), left.cos()),
            }
            own = pose_loss(pose, self.mean_px, batch["xy"], batch["weight"])
        return {**self.network.losses(rectified), "pose": own}


def pose_loss(pose: Pose, mean_px: Tensor, xy: Tensor, weight: Tensor) -> Tensor:
    """Squared distance, in units of 4 px, of the mean shape in this pose from ``xy``, less that in the best pose.

    So it is 0 at the Procrustes fit of the mean shape (K, 2) to the keypoints ``xy`` (N, K, 2) with ``weight`` (N, K).
    """
    share = weight / weight.sum(1, keepdim=True).clamp_min(1e-6)
    carried = pose.to_image(mean_px.expand_as(xy))
    found = ((xy - carried).square().sum(2) * share).sum(1)
    known = share.sum(1, keepdim=True)[..., None].clamp_min(1e-6)
    mean = mean_px - (mean_px * share[..., None]).sum(1, keepdim=True) / known
    points = xy - (xy * share[..., None]).sum(1, keepdim=True) / known
    conjugate = mean * mean.new_tensor([1.0, -1.0])
    turned = (_product(conjugate, points) * share[..., None]).sum(1).square().sum(1)
    size = (mean.square().sum(2) * share).sum(1)
    best = (points.square().sum(2) * share).sum(1) - turned / size.clamp_min(1e-6)
    return ((found - best) / UNIT_SMALL_PX**2).clamp_min(0.0).mean()


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Of complex numbers as (..., 2)."""
    ax, ay, bx, by = a[..., 0], a[..., 1], b[..., 0], b[..., 1]
    return torch.stack((ax * bx - ay * by, ax * by + ay * bx), -1)


def _spread(of_sample: Tensor, points: Tensor) -> Tensor:
    """(N, 2) with as many axes as ``points``."""
    return of_sample.view(-1, *(1 for _ in range(points.dim() - 2)), 2)
