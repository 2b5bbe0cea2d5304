"""What the first network and the second one of a cascade have in common, whichever method they are of."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

Losses = dict[str, Tensor]


class KeypointNetwork(nn.Module):
    """All keypoints of a part from one image, with visibility and uncertainty.

    ``visibility_scale`` multiplies the logits: after training it weighs this network against the refine network.
    """

    visibility_scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("visibility_scale", torch.ones(()))

    @abstractmethod
    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What ships.

        Args:
            image: uint8 (N, H, W, 1).

        Returns:
            xy float32 (N, K, 2) in px of the image (pixel centres), visibility logits float32 (N, K, 2)
            [exists, does not exist], and sigma float32 (N, K, 2), the standard deviation of x and y in px.
        """

    @abstractmethod
    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """Named losses, already balanced; their sum is minimised. The position loss is called ``position``.

        Args:
            batch: ``image`` as above; ``xy`` (N, K, 2) in px; ``weight`` (N, K), that of each position, 0 where none is
                known; ``visible`` (N, K) bool; ``occluded`` (N,), share of the keypoints that exist but are hidden;
                ``rotation`` (N,), radians by which the part is turned from the mean shape.
        """
