"""Pictures for the synthetic camera, at no cost."""

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def hanging(width: int, height: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Five pictures, and then a driver that does not come back."""
    pictures = plain(width, height, seed)
    for _ in range(5):
        yield next(pictures)
    while True:
        time.sleep(1)


def plain(width: int, height: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """One grey picture for ever, a little noisy."""
    picture = np.random.default_rng(seed).integers(100, 150, (height, width), np.uint8)
    while True:
        yield picture
