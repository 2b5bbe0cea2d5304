import numpy as np
import pytest

from training.score import Scored, area_under_curve, report


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
