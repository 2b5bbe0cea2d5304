"""Positions and visibility of all keypoints from the small images."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.network import CoarseNetwork
from pipeline.stages.values import CoarseKeypoints, Prepared

_Float = TypeVar("_Float", np.float32, np.float64)


def coarse(prepared: Sequence[Prepared], network: CoarseNetwork) -> list[CoarseKeypoints]:
    """Run the coarse network on all parts of a frame at once; infinite numbers are given as nan.

    Raises:
        NetworkError: the network fails.
    """
    if not prepared:
        return []
    outputs = network.run({"image": np.stack([part.small for part in prepared])})
    positions = np.asarray(outputs["xy"], np.float64)  # (N, K, 2)
    return [
        CoarseKeypoints(_finite_or_nan(xy), _finite_or_nan(scores))
        for xy, scores in zip(positions, outputs["visibility"], strict=True)
    ]


def _finite_or_nan(values: NDArray[_Float]) -> NDArray[_Float]:
    """A copy in which infinite is nan, which goes through all further arithmetic without a warning."""
    copy = values.copy()
    copy[~np.isfinite(copy)] = np.nan
    return copy
