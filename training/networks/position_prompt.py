"""A marked point as a feature, and the head that turns the hidden state of the position token into a place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.networks.teach_encoder import FINE, TOKEN_WIDTH, WIDTH

_WAVES = 6
_WINDOW = 2  # cells on either side of the highest one that the mean is taken over


class PositionPrompt(nn.Module):
    """Features of the support image at the marked point, fused with the encoded position: the reference-keypoint feature."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.fuse = nn.Sequential(nn.Linear(WIDTH + TOKEN_WIDTH + 4 * _WAVES, 128), nn.GELU(), nn.Linear(128, WIDTH))

    def forward(self, tokens: Tensor, fine: Tensor, xy_px: Tensor) -> Tensor:
        """Maps (N, C, h, w) of support images and points (N, K, 2) in px, to (N, K, WIDTH)."""
        at = torch.cat((sampled(fine, xy_px, self.side), sampled(tokens, xy_px, self.side)), 2)
        fused: Tensor = self.fuse(torch.cat((at, waves(xy_px, self.side)), 2))
        return at[..., :WIDTH] + fused


def waves(xy_px: Tensor, side: int) -> Tensor:
    """Sines and cosines (..., 4 · waves) of positions (..., 2)."""
    turns = 2.0 ** torch.arange(_WAVES, device=xy_px.device) * math.pi
    angle = ((xy_px / side) * 2.0 - 1.0).unsqueeze(-1) * turns / 2
    return torch.cat((angle.sin(), angle.cos()), -1).flatten(-2)


def sampled(maps: Tensor, xy_px: Tensor, side: int) -> Tensor:
    """Bilinear values (N, K, C) of maps (N, C, h, w) at pixels (N, K, 2) of the image; its pixel centres at integers."""
    grid = (2.0 * xy_px + 1.0) / side - 1.0
    found = functional.grid_sample(maps.float(), grid.unsqueeze(2), align_corners=False, padding_mode="border")
    return found.squeeze(3).transpose(1, 2)


@dataclass(frozen=True)
class Placed:
    """Attributes: logits (M, H·W) over the fine map; xy_px (M, 2); share (M,) of the map's mass around its highest cell."""

    logits: Tensor
    xy_px: Tensor
    share: Tensor


class PositionHead(nn.Module):
    """Hidden states to places: where on the fine map a state's query answers, then an offset that the state regresses.

    A state that also speaks of a marked point is helped by the correlation of the reference feature.
    """

    def __init__(self, state_width: int, side: int) -> None:
        super().__init__()
        self.side, self.cells = side, side // FINE
        self.norm = nn.LayerNorm(state_width)
        self.ask = nn.Sequential(nn.Linear(state_width, 128), nn.GELU(), nn.Linear(128, 2 * WIDTH))
        self.key = nn.Linear(WIDTH + 4 * _WAVES, WIDTH)
        self.offset = nn.Sequential(nn.Linear(state_width + 2 * WIDTH, 96), nn.GELU(), nn.Linear(96, 2))
        self.seen = nn.Sequential(nn.Linear(state_width + 2, 32), nn.GELU(), nn.Linear(32, 1))
        y, x = torch.meshgrid(torch.arange(self.cells), torch.arange(self.cells), indexing="ij")
        centres = torch.stack((x, y), -1).reshape(-1, 2) * FINE + (FINE - 1) / 2
        self.register_buffer("centres_px", centres.float(), persistent=False)
        self.centres_px: Tensor

    def keys(self, fine: Tensor) -> Tensor:
        """What queries are compared with: (N, C, H, W) to (N, H·W, 2 · WIDTH), the features and, apart, the places."""
        features = fine.float().flatten(2).transpose(1, 2)
        where = waves(self.centres_px, self.side).expand(len(fine), -1, -1)
        return torch.cat((features, self.key(torch.cat((features, where), 2))), 2)

    def forward(self, state: Tensor, keys: Tensor, correlation: Tensor) -> tuple[Placed, Tensor]:
        """States (M, D), keys (M, H·W, 2 · WIDTH) of their images, correlation (M, H·W) or zeros: places, logit of seen (M,)."""
        state = self.norm(state)
        asked = self.ask(state)
        logits = torch.einsum("mc,mhc->mh", asked, keys) / math.sqrt(WIDTH) + correlation
        place, best = peak(logits, self.centres_px, self.cells)
        here = keys[torch.arange(len(keys), device=keys.device), best]
        moved = FINE * self.offset(torch.cat((state, here), 1))
        highest = torch.stack((place.share, logits.amax(1) / 10.0), 1).detach()
        seen = self.seen(torch.cat((state, highest), 1)).squeeze(1)
        return Placed(logits, place.xy_px + moved, place.share), seen


def peak(logits: Tensor, centres_px: Tensor, cells: int) -> tuple[Placed, Tensor]:
    """The mean place around the highest cell of maps (M, H·W), and the index of that cell (M,)."""
    best = logits.argmax(1)
    share = logits.softmax(1)
    x, y = best % cells, best // cells
    near = ((torch.arange(cells, device=logits.device) - x[:, None]).abs() <= _WINDOW)[:, None, :]
    near = near & ((torch.arange(cells, device=logits.device) - y[:, None]).abs() <= _WINDOW)[:, :, None]
    inside = share * near.flatten(1)
    mass = inside.sum(1)
    xy_px = (inside / mass.clamp_min(1e-9)[:, None]) @ centres_px
    return Placed(logits, xy_px, mass), best
