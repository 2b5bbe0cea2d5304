"""Positions and visibility of all keypoints from the small images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engines.devices.device import AnyDevice
from engines.engine import Tensors
from pipeline import geometry
from pipeline.geometry import Matrix
from pipeline.network import CoarseNetwork
from pipeline.stages.values import CoarseKeypoints, Prepared


def coarse(prepared: Sequence[Prepared], network: CoarseNetwork, device: AnyDevice) -> list[CoarseKeypoints]:
    """Run the coarse network on all parts of a frame at once, on images of `device`; infinite numbers are given as nan.

    Raises:
        NetworkError: the network fails.
    """
    if not prepared:
        return []
    outputs = network.run({"image": device.batch([part.small for part in prepared])})
    return in_large_image(outputs, [part.large_from_small for part in prepared])


def in_large_image(outputs: Tensors, large_from_image: Sequence[Matrix]) -> list[CoarseKeypoints]:
    """What a network of whole images gave for N parts, as copies: its next run overwrites `outputs`.

    Args:
        outputs: `xy` (N, K, 2), `visibility` (N, K, 2) and, where the network has it, `sigma` (N, K, 2), px of its image.
        large_from_image: N maps that turn, move and scale.
    """
    xy = _finite_or_nan(np.asarray(outputs["xy"], np.float64))
    logits = _finite_or_nan(np.asarray(outputs["visibility"], np.float64)).astype(np.float32)
    sigma = np.full(xy.shape[:2], np.nan)
    if "sigma" in outputs:
        squares = np.asarray(outputs["sigma"], np.float64) ** 2
        sigma = _finite_or_nan(np.sqrt(squares.mean(axis=-1)))
        logits[np.isnan(sigma)] = np.nan
    return [
        CoarseKeypoints(geometry.apply(matrix, xy[part]), logits[part], sigma[part] * geometry.scale(matrix))
        for part, matrix in enumerate(large_from_image)
    ]


def _finite_or_nan(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A copy in which infinite is nan, which goes through all further arithmetic without a warning."""
    return np.where(np.isfinite(values), values, np.nan)
