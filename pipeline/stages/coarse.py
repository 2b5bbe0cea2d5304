"""Positions and visibility of all keypoints from the small images."""

from collections.abc import Sequence

import numpy as np

from pipeline.network import CoarseNetwork
from pipeline.stages.values import CoarseKeypoints, Prepared


def coarse(prepared: Sequence[Prepared], network: CoarseNetwork) -> list[CoarseKeypoints]:
    """Run the coarse network on all parts of a frame at once. Raises NetworkError where the network fails."""
    if not prepared:
        return []
    outputs = network.run({"image": np.stack([part.small for part in prepared])})
    positions = np.asarray(outputs["xy"], np.float64)  # (N, K, 2); a copy: the buffers are the engine's
    logits = outputs["visibility"].copy()
    return [CoarseKeypoints(xy, scores) for xy, scores in zip(positions, logits, strict=True)]
