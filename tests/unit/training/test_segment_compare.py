import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.geometry import Region
from pipeline.result import Defect, DefectMask
from pipeline.run_length import encode
from pipeline.segment_thresholds import SegmentThresholds
from training.segment_compare import ScoredPart, boundary_distance, compare, lost_part
from training.segment_maps import window

WH = (80, 60)
LIMITS = SegmentThresholds(score_above=0.5)


def box(x: int, y: int, w: int, h: int) -> NDArray[np.bool_]:
    mask = np.zeros((WH[1], WH[0]), np.bool_)
    mask[y : y + h, x : x + w] = True
    return mask


def found(x: float, y: float, w: float, h: float, score: float) -> Defect:
    """A full box that was found; sensor px, corner convention."""
    mask = DefectMask(x, y, w, h, 4, 3, encode(np.ones((3, 4), np.bool_)))
    return Defect(view="top", area_px=w * h, box=(x, y, w, h), score=score, peak=(x, y, 1.0), mask=mask)


def compared(truth: NDArray[np.bool_], *defects: Defect, limits: SegmentThresholds = LIMITS) -> ScoredPart:
    return compare(truth, defects, limits, window(Region(0, 0, *WH), WH), name="a", kind="dent" if truth.any() else "")


def test_pixels_are_counted_once_each() -> None:
    part = compared(box(10, 10, 20, 10), found(20, 10, 20, 10, 0.9))
    assert (part.intersection_px, part.found_px, part.true_px) == (100, 200, 200)
    assert part.iou == pytest.approx(1 / 3)
    assert part.is_flagged
    assert not part.is_good


def test_what_scores_below_the_limit_or_is_too_small_does_not_count_but_keeps_its_score() -> None:
    truth = box(10, 10, 20, 10)
    for limits in (LIMITS, SegmentThresholds(score_above=0.1, min_area_px=500)):
        part = compared(truth, found(10, 10, 20, 10, 0.4), limits=limits)
        assert part.found_px == part.intersection_px == 0
        assert part.score == 0.4
        assert part.defects[0].score == 0.4
        assert not part.defects[0].is_found
        assert part.is_missed
        assert not part.is_flagged


def test_each_defect_has_the_highest_score_of_what_touches_it() -> None:
    truth = box(2, 2, 10, 10) | box(40, 2, 10, 10) | box(40, 40, 2, 2)
    part = compared(truth, found(8, 2, 10, 10, 0.3), found(0, 0, 4, 4, 0.8), found(60, 50, 8, 6, 0.6))
    assert sorted((defect.area_px, defect.score, defect.is_found) for defect in part.defects) == [
        (4.0, 0.0, False),
        (100.0, 0.0, False),
        (100.0, 0.8, True),
    ]
    assert [defect.area_px for defect in part.counted] == [100.0, 100.0]  # 2 x 2 px need not be found
    assert part.scores == (0.8, 0.6, 0.3)
    assert not part.is_missed


def test_a_good_part_with_nothing_found_is_perfect() -> None:
    part = compared(box(0, 0, 0, 0))
    assert part.is_good
    assert part.iou == 1.0
    assert part.score == 0.0
    assert part.boundary_px is None
    assert not part.defects


def test_only_what_is_seen_is_compared() -> None:
    seen = window(Region(0, 0, 40, 60), WH)
    part = compare(box(30, 10, 20, 10), [found(60, 10, 8, 6, 0.9)], LIMITS, seen, name="a", kind="dent")
    assert part.true_px == 100
    assert part.scores == ()


def test_boundaries_of_boxes_that_moved_are_apart_by_the_move() -> None:
    truth = box(10, 10, 30, 30)
    assert boundary_distance(truth, truth) == 0.0
    assert boundary_distance(truth, box(8, 8, 34, 34)) == pytest.approx(2.0, abs=0.05)
    assert boundary_distance(truth, np.ones_like(truth)) is None  # it has no boundary within the image


def test_the_boundary_of_what_was_found_elsewhere_is_left_out() -> None:
    truth = box(10, 10, 20, 20) | box(50, 40, 9, 9)
    part = compared(truth, found(8, 8, 24, 24, 0.9), found(70, 2, 8, 6, 0.9))
    assert part.boundary_px == pytest.approx(2.0, abs=0.1)


def test_a_part_that_was_not_located_has_found_nothing() -> None:
    part = lost_part(box(10, 10, 20, 10), name="a", kind="dent")
    assert part.is_missed
    assert part.true_px == 200
    assert part.iou == 0.0
    assert lost_part(box(0, 0, 0, 0), name="b", kind="").is_good
