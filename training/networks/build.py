"""Which class a method's first or second network is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.method import CoarseMethod
from training.networks.keypoint_network import KeypointNetwork
from training.networks.rectify import Rectified
from training.networks.regression import regression
from training.networks.template import template
from training.shapes import rectified_shapes


def build(
    method: CoarseMethod, keypoints: int, image_wh: tuple[int, int], shapes_px: NDArray[np.floating]
) -> KeypointNetwork:
    """An untrained network.

    Args:
        method: its section of the method file.
        keypoints: K.
        image_wh: size of its image in px.
        shapes_px: (S, K, 2) finite, keypoints of the training parts in px of that image, in the poses it will see.
    """
    if method.network == "template":
        seen_px = rectified_shapes(shapes_px, image_wh, 0) if method.rectify else shapes_px
        network: KeypointNetwork = template(keypoints, image_wh, method, seen_px)
    else:
        network = regression(keypoints, image_wh, method)
    return Rectified(network, image_wh, shapes_px, method) if method.rectify else network
