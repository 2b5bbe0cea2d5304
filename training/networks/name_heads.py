"""What an image and a marked point are called, told from features alone: what the language model then puts in words."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.networks.teach_encoder import TOKEN_WIDTH, WIDTH

NAMED, PARTS = (9, 9, 5), 12  # places, kinds, ends; words for parts
HINTS = (*NAMED, PARTS)
_HIDDEN = 192


class NameHeads(nn.Module):
    """Place, kind and end of marked points, and the word for the part, as logits over the grammar's words."""

    def __init__(self) -> None:
        super().__init__()
        self.keypoint = _layers(2 * WIDTH + 2 * TOKEN_WIDTH, sum(NAMED))
        self.part = _layers(2 * TOKEN_WIDTH + 2 * WIDTH, PARTS)

    def forward(self, tokens: Tensor, fine: Tensor, reference: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        """Maps of N images and K marked points in each.

        Args:
            tokens: (N, TOKEN_WIDTH, h, w), of `TeachEncoder`.
            fine: (N, WIDTH, H, W), of the same.
            reference: (N, K, WIDTH) reference-keypoint features.
            at: (N, K, WIDTH + TOKEN_WIDTH) values of both maps at the points.

        Returns:
            Logits (N, K, places + kinds + ends) and (N, parts).
        """
        around = tokens.mean((2, 3))[:, None].expand(-1, reference.shape[1], -1)
        return self.keypoint(torch.cat((reference, at, around), 2)), self.parts(tokens, fine)

    def parts(self, tokens: Tensor, fine: Tensor) -> Tensor:
        """Logits (N, parts) of images alone."""
        maps = (tokens, fine)
        pooled = [m.mean((2, 3)) for m in maps] + [m.amax((2, 3)) for m in maps]
        logits: Tensor = self.part(torch.cat(pooled, 1))
        return logits


def hinted(logits: Tensor) -> Tensor:
    """Logits (…, sum(HINTS)) as shares of the words: each of place, kind, end and part adds up to one."""
    return torch.cat([block.softmax(-1) for block in torch.split_with_sizes(logits, HINTS, dim=-1)], -1)


def _layers(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, _HIDDEN), nn.GELU(), nn.Linear(_HIDDEN, outputs))
