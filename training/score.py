"""Figures of merit of positions and visibility."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def area_under_curve(score: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties half.

    Returns NaN where there is only one kind.
    """
    score, positive = np.ravel(score), np.ravel(positive)
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    return float((mean_rank[inverse][positive].sum() - count * (count + 1) / 2) / (count * others))
