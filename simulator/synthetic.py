"""Pictures for the synthetic camera: rendered brackets, one after another."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from simulator.render import Occlusion, PartRenderer, frame_seed


def frames(width: int, height: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Endless pictures, each (height, width) uint8; the simulated line shows its cameras the same ones for this seed."""
    renderer = PartRenderer("bracket", width=width, height=height)
    return _pictures(renderer, seed)


def _pictures(renderer: PartRenderer, seed: int) -> Iterator[NDArray[np.uint8]]:
    index = 0
    while True:
        yield renderer.render(frame_seed(seed, index), occlusion=Occlusion.SPARSE).image
        index += 1
