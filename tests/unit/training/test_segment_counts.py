import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training.segment_counts import HIGHEST, LEVELS, PixelCounts, level_of

STEP = 2 * HIGHEST / LEVELS


def a_part(seed: int, wh: tuple[int, int] = (60, 40)) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Logits that know something of the truth, on whole levels and with many ties."""
    rng = np.random.default_rng(seed)
    truth = cv2.GaussianBlur(rng.normal(size=wh[::-1]), (0, 0), 3) > 0.15
    logits = np.rint((rng.normal(0, 2, truth.shape) + 2.0 * truth) * 4) / 4 + STEP / 2
    return logits.astype(np.float32), truth


def counts_of(*parts: tuple[NDArray[np.float32], NDArray[np.bool_]]) -> PixelCounts:
    counts = PixelCounts()
    for logits, truth in parts:
        counts.add(logits, truth)
    return counts


def test_average_precision_is_that_of_every_threshold() -> None:
    parts = [a_part(1), a_part(2, (30, 50))]
    scores, true = (np.concatenate([part[side].ravel() for part in parts]) for side in (0, 1))
    total, recall = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        is_on = scores >= threshold
        precision, now = true[is_on].mean(), true[is_on].sum() / true.sum()
        total += (now - recall) * precision
        recall = now
    assert counts_of(*parts).average_precision() == pytest.approx(total, abs=1e-9)


def test_average_precision_of_a_small_example() -> None:
    logits = np.array([[0.1, 0.4, 0.35, 0.8]], np.float32)
    truth = np.array([[False, False, True, True]])
    assert counts_of((logits, truth)).average_precision() == pytest.approx(0.8333333)  # scikit-learn's own example


def brute_aupro(parts: list[tuple[NDArray[np.float32], NDArray[np.bool_]]], limit: float) -> float:
    """Threshold by threshold, defect by defect; then the area by trapezia in 200,000 small steps."""
    masks = []
    for number, (_, truth) in enumerate(parts):
        count, labels = cv2.connectedComponents(truth.astype(np.uint8), connectivity=8)
        masks += [(number, labels == label) for label in range(1, count)]
    rates, overlaps = [0.0], [0.0]
    for threshold in sorted({value for logits, _ in parts for value in logits.ravel().tolist()}, reverse=True):
        alarms = sum(int((logits[~truth] >= threshold).sum()) for logits, truth in parts)
        rates.append(alarms / sum(int((~truth).sum()) for _, truth in parts))
        overlaps.append(float(np.mean([(parts[number][0][mask] >= threshold).mean() for number, mask in masks])))
    steps = np.linspace(0.0, limit, 200_001)
    heights = np.interp(steps, rates, overlaps)
    return float(((heights[1:] + heights[:-1]) / 2).mean())


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_aupro_is_that_of_every_threshold_and_every_defect(limit: float) -> None:
    parts = [a_part(1), a_part(2, (30, 50)), (a_part(3)[0], np.zeros((40, 60), np.bool_))]
    assert counts_of(*parts).aupro(limit) == pytest.approx(brute_aupro(parts, limit), abs=1e-4)


def test_a_small_defect_weighs_as_much_as_a_large_one() -> None:
    truth = np.zeros((20, 20), np.bool_)
    truth[2:12, 2:12] = truth[16, 16] = True
    logits = np.full((20, 20), -5.0, np.float32)
    logits[16, 16] = 5.0
    large_missed = counts_of((logits, truth)).aupro()
    logits[16, 16], logits[2:12, 2:12] = -5.0, 5.0
    assert counts_of((logits, truth)).aupro() == pytest.approx(large_missed)
    assert large_missed == pytest.approx(0.5 + 0.3 / 4, abs=1e-6)  # from one half at 0 on to 1 at 1, up to 0.3


def test_a_perfect_map_has_all_and_a_reversed_one_next_to_nothing() -> None:
    _, truth = a_part(4)
    perfect, reversed_map = (np.where(truth, sign, -sign).astype(np.float32) for sign in (5.0, -5.0))
    counts = counts_of((perfect, truth))
    assert counts.average_precision() == 1.0
    assert counts.aupro() == pytest.approx(1.0)
    assert counts.best_threshold()[1] == 1.0
    assert counts_of((reversed_map, truth)).aupro() == pytest.approx(0.0, abs=1e-9)


def test_the_best_threshold_is_that_of_every_threshold() -> None:
    parts = [a_part(1), a_part(2)]
    scores, true = (np.concatenate([part[side].ravel() for part in parts]) for side in (0, 1))
    best = max(
        ((true & (scores >= threshold)).sum() / (true | (scores >= threshold)).sum(), threshold)
        for threshold in set(scores.tolist())
    )
    logit, iou = counts_of(*parts).best_threshold()
    assert iou == pytest.approx(best[0])
    assert logit <= best[1] < logit + 0.25


def test_without_defects_or_without_anything_else_there_is_no_figure() -> None:
    logits = a_part(1)[0]
    assert PixelCounts().average_precision() is None
    assert PixelCounts().aupro() is None
    good = counts_of((logits, np.zeros(logits.shape, np.bool_)))
    assert good.average_precision() is None
    assert good.aupro() is None
    everywhere = counts_of((logits, np.ones(logits.shape, np.bool_)))
    assert everywhere.average_precision() == 1.0
    assert everywhere.aupro() is None


def test_logits_beyond_the_levels_are_in_the_last() -> None:
    levels = level_of(np.array([-math.inf, -HIGHEST, HIGHEST, math.inf], np.float32))
    assert levels.tolist() == [0, 0, LEVELS - 1, LEVELS - 1]
