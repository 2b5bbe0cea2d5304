"""S3: the offset of one keypoint inside a patch of the large image, how sure it is, and whether it is there at all."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.networks.backbone import Residual, conv_norm_relu, standardised

_LEAST_PX = 0.01  # keeps the logarithm of a sigma within reason
_MOST_LOG = 6.0


class Conditioned(nn.Module):
    """Scale and shift of the channels by which keypoint, at which span, is asked for (FiLM, arXiv 1709.07871)."""

    def __init__(self, channels: int, keypoints: int, spans: int) -> None:
        super().__init__()
        self.of_keypoint = nn.Embedding(keypoints, 2 * channels)
        self.of_span = nn.Embedding(spans, 2 * channels)
        nn.init.normal_(self.of_keypoint.weight, std=0.1)
        nn.init.normal_(self.of_span.weight, std=0.1)

    def forward(self, x: Tensor, keypoint: Tensor, span: Tensor) -> Tensor:
        """(M, C, H, W) with int64 (M,) and (M,) to (M, C, H, W)."""
        scale, shift = (self.of_keypoint(keypoint) + self.of_span(span))[:, :, None, None].chunk(2, dim=1)
        conditioned: Tensor = x * (1.0 + scale) + shift
        return conditioned


class Refine(nn.Module):
    """Every cell of a feature map votes where the keypoint is: softmax weights x (cell centre + predicted offset).

    One network for all keypoints and spans; what it looks for is told to it by `Conditioned`. The weighted features
    of the same cells say whether the keypoint is there; how far the votes lie apart, along with them, how sure it is.

    ``visibility_scale`` multiplies the logits: after training it weighs this network against the first one.
    """

    visibility_scale: Tensor

    def __init__(self, keypoints: int, spans: int, patch: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        first, middle, last = widths
        self.stem = nn.Sequential(conv_norm_relu(1, first, stride=2), conv_norm_relu(first, middle, stride=2))
        self.before = Residual(middle)
        self.asked = Conditioned(middle, keypoints, spans)
        self.after = Residual(middle)
        self.wide = nn.Sequential(conv_norm_relu(middle, last, stride=2), Residual(last))
        self.asked_wide = Conditioned(last, keypoints, spans)
        self.mix = conv_norm_relu(last, middle, kernel=1)
        self.vote = nn.Conv2d(middle, 3, 1)  # weight, dx, dy of each cell
        nn.init.normal_(self.vote.weight, std=0.01)
        self.seen = nn.Linear(2 * middle + last, 48)
        self.verdict = nn.Linear(48, 2)
        self.spread = nn.Linear(48 + 2, 2)  # features, and the logarithm of how far the votes lie apart
        nn.init.zeros_(self.spread.weight)
        nn.init.zeros_(self.spread.bias)
        self.register_buffer("visibility_scale", torch.ones(()))
        cells = (patch + 3) // 4
        along = torch.arange(cells) * 4.0 + 1.5 - (patch - 1) / 2  # cell centres relative to the patch's centre
        self.register_buffer("cell_x", along.repeat(cells))
        self.register_buffer("cell_y", along.repeat_interleave(cells))

    def forward(self, patches: Tensor, keypoint: Tensor, span: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Offsets, visibility and uncertainty of a batch of patches.

        Args:
            patches: uint8 (M, P, P, 1).
            keypoint: int64 (M,), index of the keypoint each patch is for.
            span: int64 (M,), index into the spans the network was trained for.

        Returns:
            offset float32 (M, 2) in patch px from the patch's centre ((P - 1) / 2), visibility logits float32 (M, 2)
            [exists, does not exist], and sigma float32 (M, 2), the standard deviation of the offset's x and y in
            patch px.
        """
        near = functional.relu(self.asked(self.before(self.stem(standardised(patches))), keypoint, span))
        near = self.after(near)
        wide = functional.relu(self.asked_wide(self.wide(near), keypoint, span))
        mixed = near + functional.interpolate(self.mix(wide), scale_factor=2.0, mode="nearest")
        with torch.autocast(patches.device.type, enabled=False):
            mixed, wide = mixed.float(), wide.float()
            weight, dx, dy = self.vote(mixed).flatten(2).unbind(1)  # (M, cells²) each
            weight = weight.softmax(dim=1)
            voted = torch.stack((self.cell_x + 4.0 * dx, self.cell_y + 4.0 * dy), dim=1)  # (M, 2, cells²)
            offset = (weight[:, None] * voted).sum(2)
            at_point = (mixed.flatten(2) * weight[:, None]).sum(2)
            pooled = torch.cat((at_point, mixed.mean(dim=(2, 3)), wide.mean(dim=(2, 3))), dim=1)
            seen = functional.relu(self.seen(pooled))
            apart = (weight[:, None] * (voted - offset[:, :, None]).square()).sum(2)
            # what teaches sigma must not move the votes: it would rather have them scatter than agree on a wrong place
            known = torch.cat((seen, 0.5 * (apart.detach() + _LEAST_PX**2).log()), dim=1)
            sigma = _LEAST_PX + self.spread(known).clamp(-_MOST_LOG, _MOST_LOG).exp()
            return offset, self.visibility_scale * self.verdict(seen), sigma


def mobile_refine(keypoints: int, spans: int, patch: int) -> Refine:
    """The CPU default: 0.16 M parameters, 9.5 M multiply-adds for a patch of 48x48."""
    return Refine(keypoints, spans, patch, (16, 32, 64))


def tiny_refine(keypoints: int, spans: int, patch: int) -> Refine:
    """For tests and for very small data sets."""
    return Refine(keypoints, spans, patch, (8, 12, 16))


def large_refine(keypoints: int, spans: int, patch: int) -> Refine:
    """For GPUs."""
    return Refine(keypoints, spans, patch, (32, 64, 128))


REFINERS = {"mobile": mobile_refine, "tiny": tiny_refine, "large": large_refine}
