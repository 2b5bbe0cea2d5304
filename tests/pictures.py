"""Pictures for the synthetic camera, at no cost."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def plain(width: int, height: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """One grey picture for ever, a little noisy."""
    picture = np.random.default_rng(seed).integers(100, 150, (height, width), np.uint8)
    while True:
        yield picture
