"""By how much a part is turned, and what was seen in patches that were turned as much, turned back."""

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Points
from pipeline.similarity import robust_similarity
from pipeline.stages.posed import LEAST_TRUST
from pipeline.stages.shape import FARTHEST_PX


def part_angle(pose: Points, xy: Points, chance: NDArray[np.float64]) -> float:
    """By how much a part is turned from its pose, in rad from x towards y; 0 where its keypoints do not tell.

    Args:
        pose: (K, 2), the mean shape in any unit.
        xy: (K, 2) px; what is not finite or beyond any image does not count, what does not fit hardly.
        chance: (K,), with which each keypoint is there; nan does not count.
    """
    places = np.where(np.abs(xy) < FARTHEST_PX, xy, np.nan)
    matrix = robust_similarity(pose, places, LEAST_TRUST + (1.0 - LEAST_TRUST) * chance)
    return 0.0 if matrix is None else math.atan2(matrix[1, 0], matrix[0, 0])


def turned(xy: Points, angle_rad: NDArray[np.float64]) -> Points:
    """Vectors (M, 2) of patches whose x axis has the direction ``angle_rad`` (M,), in the image's own directions."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.stack((cos * xy[:, 0] - sin * xy[:, 1], sin * xy[:, 0] + cos * xy[:, 1]), axis=1)
