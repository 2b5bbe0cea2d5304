"""The map that turns, moves and scales one set of points onto another, without reflection."""

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Matrix, Points

LEAST_SPREAD_PX = 1.0  # root mean square distance from their centre: keypoints this close together give no direction
_ROUNDS = 4
_OUTLIER = 2.0  # times the median residual: here a keypoint's weight is a quarter


def robust_similarity(source: Points, target: Points, weight: NDArray[np.float64]) -> Matrix | None:
    """target_from_source that turns, moves and scales, without reflection; keypoints that do not fit lose their weight.

    Least squares (Umeyama 1991), weighted anew by the residuals (Geman and McClure 1985).

    Args:
        source: (K, 2).
        target: (K, 2); those that are not finite do not count.
        weight: (K,), 0 or more; those that are not finite do not count.

    Returns:
        (3, 3), or None where fewer than two points count or these lie too close together.
    """
    usable = np.isfinite(target).all(axis=1) & np.isfinite(weight) & (weight > 0)
    source, target, weight = source[usable], target[usable], weight[usable]
    robust = weight
    matrix = None
    for _ in range(_ROUNDS):
        matrix = similarity(source, target, robust)
        if matrix is None:
            return None
        apart = target - source @ matrix[:2, :2].T - matrix[:2, 2]
        squares = (apart**2).sum(axis=1)
        scale = _OUTLIER**2 * _weighted_median(squares, weight)
        if scale <= 1e-12:  # an exact fit
            return matrix
        robust = weight / (1.0 + squares / scale) ** 2
    return matrix


def similarity(source: Points, target: Points, weight: NDArray[np.float64]) -> Matrix | None:
    """The weighted least squares similarity target_from_source (Umeyama 1991, in two dimensions and without reflection).

    Args:
        source: (K, 2), finite.
        target: (K, 2), finite.
        weight: (K,), at least 0.

    Returns:
        (3, 3), or None where the points of either side lie too close together to give a direction.
    """
    total = float(weight.sum())
    if len(source) < 2 or not total > 0:
        return None
    share = weight / total
    from_centre, to_centre = share @ source, share @ target
    a, b = source - from_centre, target - to_centre
    spread = float(share @ (a**2).sum(axis=1))
    reached = float(share @ (b**2).sum(axis=1))
    if not (spread > 1e-12 and LEAST_SPREAD_PX**2 < reached < np.inf):
        return None
    along = float(share @ (a * b).sum(axis=1)) / spread  # scale times cosine
    across = float(share @ (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])) / spread  # scale times sine
    if along**2 + across**2 < 1e-6 * reached / spread:  # the points do not agree on any direction
        return None
    turn = np.array([[along, -across], [across, along]])
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    matrix[:2, 2] = to_centre - turn @ from_centre
    return matrix


def _weighted_median(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2.0)])
