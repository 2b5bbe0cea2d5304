import numpy as np
import pytest

from calibration.proportion import clopper_pearson
from training.segment_compare import ScoredPart, TrueDefect
from training.segment_counts import PixelCounts
from training.segment_score import at_detection, at_limits, auroc, class_iou, detection_score, report


def bad(*scores: float, kind: str = "dent", area: float = 100.0, both: int = 50) -> ScoredPart:
    """A part with a defect for each score, found where the score is 0.5 or more; 100 px found and 100 px true."""
    defects = tuple(TrueDefect(area, score, is_found=score >= 0.5) for score in scores)
    flagged = any(defect.is_found for defect in defects)
    return ScoredPart("a", kind, False, tuple(s for s in scores if s), defects, both, 100, 100, 1.5, flagged)


def good(*scores: float) -> ScoredPart:
    flagged = any(score >= 0.5 for score in scores)
    return ScoredPart("b", "", True, scores, (), 0, 20 if flagged else 0, 0, None, flagged)


def test_auroc_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(0)
    positives, negatives = (np.rint(rng.normal(mean, 1, 40) * 4).tolist() for mean in (1, 0))
    pairs = [(p > n) + 0.5 * (p == n) for p in positives for n in negatives]
    assert auroc(positives, negatives) == pytest.approx(np.mean(pairs))
    assert auroc([1.0], [0.0]) == 1.0
    assert auroc([0.0], [0.0]) == 0.5
    assert auroc([], [0.0]) is None
    assert auroc([1.0], []) is None


def test_the_score_of_a_detection_is_the_highest_that_finds_as_many() -> None:
    parts = [bad(0.9, 0.8), bad(0.7), bad(0.6), good(0.95)]
    assert detection_score(parts, 0.5) == 0.8
    assert detection_score(parts, 0.51) == 0.7
    assert detection_score(parts, 1.0) == 0.6
    assert detection_score([bad(0.9), bad(0.0)], 0.5) == 0.9
    assert detection_score([bad(0.9), bad(0.0)], 0.99) is None
    assert detection_score([good(0.9)], 0.99) is None
    assert detection_score([bad(0.9), bad(0.1, area=30.0)], 1.0) == 0.9  # as small as that need not be found


def test_false_alarms_are_counted_on_good_parts_alone() -> None:
    parts = [bad(0.9), bad(0.6), good(0.7, 0.65, 0.2), good(0.61), good(), good(0.59)]
    row = at_detection(parts, 1.0)
    assert row.score_above == 0.6
    assert row.alarms_per_good_part == pytest.approx(3 / 4)
    assert row.good_with_alarm == pytest.approx(2 / 4)
    assert row.interval == clopper_pearson(2, 4)


def test_without_good_parts_or_where_too_few_are_found_there_is_no_rate() -> None:
    assert at_detection([bad(0.9)], 0.99).alarms_per_good_part is None
    row = at_detection([bad(0.9), bad(0.0), good(0.5)], 0.99)
    assert row.score_above is None
    assert row.good_with_alarm is None


def test_at_the_limits_defects_and_good_parts_are_counted() -> None:
    row = at_limits([bad(0.9, 0.1), bad(0.6), good(0.7), good(0.1), good()])
    assert row.found == pytest.approx(2 / 3)
    assert row.good_with_alarm == pytest.approx(1 / 3)
    assert row.found_interval == clopper_pearson(2, 3)
    assert at_limits([bad(0.9)]).good_with_alarm is None
    assert at_limits([good(0.9)]).found is None


def test_kinds_are_pooled_apart_and_good_parts_are_in_none() -> None:
    parts = [bad(0.9, kind="dent", both=50), bad(0.9, kind="dent", both=100), bad(0.9, kind="burr", both=0), good(0.9)]
    assert class_iou(parts) == pytest.approx({"burr": 0.0, "dent": 150 / 250})


def test_a_report_pools_pixels_over_all_parts() -> None:
    parts = [bad(0.9, both=50), bad(0.0, both=0, kind="burr"), good(0.7), good()]
    logits, truth = np.array([[3.0, -3.0, 1.0]], np.float32), np.array([[True, False, False]])
    counts = PixelCounts()
    counts.add(logits, truth)
    found = report(parts, counts, lost=1, recipe="r", view="top", weights="sam_tiny of datumd")
    assert (found.parts, found.good, found.lost, found.defects) == (4, 2, 1, 2)
    assert found.iou == pytest.approx(50 / (220 + 200 - 50))
    assert found.f1 == pytest.approx(2 * 50 / 420)
    assert found.precision == pytest.approx(50 / 220)
    assert found.recall == pytest.approx(50 / 200)
    assert found.pixel_ap == 1.0
    assert found.image_auroc == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    assert found.boundary_px == 1.5
    assert found.mean_iou == pytest.approx(np.mean([50 / 150, 0.0]))
    assert [row.detection for row in found.at_detection] == [0.95, 0.99]


def test_a_report_of_good_parts_alone_has_no_figures_of_defects() -> None:
    found = report([good(), good()], PixelCounts(), lost=0, recipe="r", view="top", weights="w")
    assert found.iou is None
    assert found.f1 is None
    assert found.image_auroc is None
    assert found.mean_iou is None
    assert found.boundary_px is None
    assert found.at_limits.good_with_alarm == 0.0
