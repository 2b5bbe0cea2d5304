"""Pixels of many parts by how sure a network is of each: from these come the scores that need no threshold."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from training.masks.sample import Mask

LEVELS = 4096
HIGHEST = 16.0  # logits beyond are taken for it; a level is 1/128
FPR_LIMIT = 0.3


def _none() -> NDArray[np.float64]:
    return np.zeros(LEVELS)


@dataclass
class PixelCounts:
    """Counts by level of the logit, of as many parts as were added.

    Attributes:
        positives, negatives: pixels of defects, and of what is none.
        overlaps: pixels of defects, each counted as its share of its defect.
        defects: how many connected defects there were.
    """

    positives: NDArray[np.float64] = field(default_factory=_none)
    negatives: NDArray[np.float64] = field(default_factory=_none)
    overlaps: NDArray[np.float64] = field(default_factory=_none)
    defects: int = 0

    def add(self, logits: NDArray[np.float32], truth: Mask) -> None:
        """Add a part: logits and truth (h, w), px for px."""
        level = level_of(logits)
        self.negatives += np.bincount(level[~truth], minlength=LEVELS)
        if not truth.any():
            return
        count, labels = cv2.connectedComponents(truth.astype(np.uint8), connectivity=8)
        own = labels[truth]
        self.positives += np.bincount(level[truth], minlength=LEVELS)
        self.overlaps += np.bincount(level[truth], weights=1.0 / np.bincount(own)[own], minlength=LEVELS)
        self.defects += count - 1

    def average_precision(self) -> float | None:
        """Mean precision over the pixels of defects, ties taken together; None without defects.

        Σ (R_n - R_n-1) P_n, without interpolation, as scikit-learn's average_precision_score.
        """
        if not self.positives.any():
            return None
        hits, alarms = _from_the_top(self.positives), _from_the_top(self.negatives)
        precision = hits / np.maximum(hits + alarms, 1.0)
        return float((np.diff(hits, prepend=0.0) * precision).sum() / hits[-1])

    def aupro(self, limit: float = FPR_LIMIT) -> float | None:
        """Area under the per-region overlap up to a share ``limit`` of false positives, over that share.

        The overlap is the share of a defect that is found, averaged over the connected defects (over edges and corners);
        false positives are the share of all pixels without a defect (Bergmann et al. 2021, IJCV 129, as MVTec AD has it).
        None without defects, or without pixels that are none.
        """
        if not self.defects or not self.negatives.any():
            return None
        alarms = _from_the_top(self.negatives)
        rate = np.concatenate(([0.0], alarms / alarms[-1]))
        overlap = np.concatenate(([0.0], _from_the_top(self.overlaps) / self.defects))
        within = rate <= limit
        edge = np.interp(limit, rate, overlap)
        rate, overlap = np.append(rate[within], limit), np.append(overlap[within], edge)
        return float(((overlap[1:] + overlap[:-1]) / 2 * np.diff(rate)).sum() / limit)

    def best_threshold(self) -> tuple[float, float]:
        """The logit from which on pixels are best taken for a defect, and the intersection over union there."""
        hits, alarms = (_from_the_top(counts)[::-1] for counts in (self.positives, self.negatives))
        iou = hits / np.maximum(self.positives.sum() + alarms, 1.0)
        level = int(iou.argmax())
        return level * 2 * HIGHEST / LEVELS - HIGHEST, float(iou[level])


def level_of(logits: NDArray[np.float32]) -> NDArray[np.int64]:
    """The level of each logit."""
    steps = (logits + HIGHEST) * (LEVELS / (2 * HIGHEST))
    return np.asarray(np.clip(np.floor(steps), 0, LEVELS - 1), np.int64)


def _from_the_top(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many lie at a level or above, the highest level first."""
    return counts[::-1].cumsum()
