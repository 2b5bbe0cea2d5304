from dataclasses import replace

import numpy as np
import pytest

from training.evaluate_command import table
from training.score import Scored, area_under_curve, coverage, occluded, report


def test_area_under_curve_is_the_chance_that_a_positive_scores_higher() -> None:
    rng = np.random.default_rng(1)
    score, positive = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.4
    higher = score[positive][:, None] - score[~positive][None]
    assert area_under_curve(score, positive) == pytest.approx(((higher > 0) + (higher == 0) / 2).mean())


def test_one_kind_alone_has_no_curve() -> None:
    assert np.isnan(area_under_curve(np.zeros(3), np.ones(3, bool)))


def test_a_report_counts_what_it_says() -> None:
    state = np.array([[2, 2], [2, 1], [2, 0], [2, 2]], np.int8)
    refined = np.array([[0.4, 0.6], [1.5, 50.0], [4.0, 70.0], [0.0, 30.0]])
    reported = np.array([[1, 1], [1, 1], [0, 0], [1, 1]], bool)
    margin = np.array([[3.0, 2.0], [2.5, 1.0], [0.5, -1.0], [3.0, 3.0]])
    scored = Scored(refined * 2, refined, refined / 2, margin, reported, state, np.full(4, 100.0), lost=1)
    result = report(scored, ["a", "b"], recipe="r", view="top")
    assert (result.parts, result.lost) == (5, 1)
    assert result.failed == pytest.approx(2 / 5)  # one lost, one with a visible keypoint 30 px off
    assert result.refined.count == 6
    assert result.refined.mean == pytest.approx((0.4 + 0.6 + 1.5 + 4.0 + 0.0 + 30.0) / 6)
    assert result.refined.pck == pytest.approx(
        {"0.5px": 2 / 6, "1px": 3 / 6, "2px": 4 / 6, "5px": 5 / 6, "0.02diagonal": 4 / 6, "0.05diagonal": 5 / 6}
    )
    assert result.refined_over_jittered == pytest.approx(2.0)
    assert result.hidden_mean == pytest.approx(60.0)
    seen = result.visibility
    assert seen.false_reject == pytest.approx(1 / 6)
    assert (seen.false_accept, seen.false_accept_missing, seen.false_accept_hidden) == (0.5, 0.0, 1.0)
    assert (seen.auc, seen.auc_missing) == (pytest.approx(11 / 12), 1.0)
    assert result.keypoints[0].visibility.auc is None
    assert (result.occluded and result.occluded.count, result.posed, result.sigma) == (1, None, None)


def test_a_view_that_does_not_refine_has_no_row_for_it() -> None:
    state, px, margin = np.full((3, 2), 2, np.int8), np.full((3, 2), 4.0), np.ones((3, 2))
    scored = Scored(px, px, None, margin, margin > 0, state, np.full(3, 100.0), lost=0)
    result = report(scored, ["a", "b"], recipe="r", view="top")
    assert (result.jittered, result.refined_over_jittered) == (None, None)
    assert "jitter" not in table(result)
    assert "truth" not in table(result)
    assert "jittered" in table(report(replace(scored, jittered_px=px), ["a", "b"], recipe="r", view="top"))


def test_occluded_keypoints_are_judged_apart_and_missing_ones_have_no_place() -> None:
    state = np.array([[2, 1, 1], [2, 1, 0], [2, 2, 2], [2, 2, 1]], np.int8)
    px = np.array([[0.5, 10.0, 30.0], [0.5, 20.0, 500.0], [0.5, 41.0, 1.0], [0.5, 0.5, np.nan]])
    found = occluded(px, state)
    assert found is not None
    assert (found.count, found.mean, found.median) == (3, pytest.approx(20.0), 20.0)
    assert found.off == pytest.approx(1 / 3)
    assert found.gross_parts == pytest.approx(1 / 4)  # the third, by a visible one
    assert occluded(px[2:3], state[2:3]) is None


def test_coverage_counts_each_axis_and_leaves_out_what_has_no_sigma() -> None:
    found = coverage(np.array([[0.5, -1.5], [2.5, 1.0], [np.nan, 0.0]]))
    assert found is not None
    assert (found.count, found.within_1_sigma, found.within_2_sigma) == (5, 0.6, 0.8)
    assert coverage(np.full((2, 2), np.nan)) is None


def test_a_honest_sigma_covers_what_a_normal_distribution_does() -> None:
    rng = np.random.default_rng(3)
    sigma = rng.uniform(0.2, 5.0, (4000, 1))
    found = coverage(rng.normal(0.0, sigma, (4000, 2)) / sigma)
    assert found is not None
    assert found.within_1_sigma == pytest.approx(0.683, abs=0.02)
    assert found.within_2_sigma == pytest.approx(0.954, abs=0.01)
