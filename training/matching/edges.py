"""Where an image has edges, how strong, and which way they run: what stays when the light changes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.matching.pyramid import Grey

CHANNELS = 4
_QUANTILE = 80.0  # an edge this strong among those of the image counts for half
_MIDDLE, _LEAST_STRENGTH = 50.0, 1.0  # the same for `edge_strength`, which is to show weak edges, too
_LEAST_LEVELS = 4.0  # grey levels; noise in an image without edges is none

Edges = NDArray[np.float32]  # (h, w, CHANNELS)


def edges(grey: Grey) -> Edges:
    """Direction of the gradient, once and doubled, weighted by how strong it is: (h, w, 4) float32.

    The first two channels tell bright from dark, the others do not, as a bevel that is lit from elsewhere. The product of
    two of them, summed over the channels, is 1 where both edges are strong and run the same way.
    """
    dx, dy, strength = _gradient(grey)
    half = max(float(np.percentile(strength, _QUANTILE)), _LEAST_LEVELS)
    weight = strength / (strength + half) / np.sqrt(2.0)
    length = np.maximum(strength, 1e-6)
    cos, sin = dx / length, dy / length
    return np.stack(
        (weight * cos, weight * sin, weight * (cos * cos - sin * sin), weight * 2 * cos * sin), axis=-1
    ).astype(np.float32)


def edge_strength(grey: Grey) -> Grey:
    """How strong the edges are whichever way they run, (h, w) uint8, weak ones lifted.

    A lamp makes one side of a bevel bright and the other dark, so that grey levels of the whole part seem to lie nearer to the
    lamp. Both borders of the bevel are edges in any light: compared by these, a part lies where it is.
    """
    _, _, strength = _gradient(grey)
    half = max(float(np.percentile(strength, _MIDDLE)), _LEAST_STRENGTH)
    return np.asarray(np.rint(255.0 * strength / (strength + half)), np.uint8)


def _gradient(grey: Grey) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Along x, along y and its length, in grey levels a px."""
    soft = cv2.GaussianBlur(grey, (0, 0), 0.8).astype(np.float32)
    dx = np.asarray(cv2.Scharr(soft, cv2.CV_32F, 1, 0) / 16, np.float32)
    dy = np.asarray(cv2.Scharr(soft, cv2.CV_32F, 0, 1) / 16, np.float32)
    return dx, dy, np.sqrt(dx * dx + dy * dy)
