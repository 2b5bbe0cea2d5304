"""How a network's plain output becomes the standard deviation of a position."""

from __future__ import annotations

from torch import Tensor

FIRST_SIGMA_PX = 4.0  # of an output of 0: an untrained network's
_LEAST, _MOST = -3.0, 4.0  # of the output: 0.2 px to 218 px


def sigma_px(output: Tensor) -> Tensor:
    """Standard deviation in px of the image, above 0, from log sigma in units of `FIRST_SIGMA_PX`; any shape."""
    return FIRST_SIGMA_PX * output.clamp(_LEAST, _MOST).exp()
