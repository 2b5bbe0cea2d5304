import math

import numpy as np
import pytest

from calibration.visibility import (
    LEAST_ABOVE,
    LEAST_FIRST,
    UNSURE_SHARE,
    calibrate,
    concerns,
    fuse,
    probabilities,
    raised,
    temperature,
)
from pipeline.similarity import robust_similarity
from pipeline.thresholds import Thresholds


def logits(rng: np.random.Generator, count: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Margins that are ``scale`` times too large for the frequencies they came with."""
    margin = rng.normal(1.0, 2.0, count)
    visible = rng.random(count) < 1 / (1 + np.exp(-margin))
    return margin * scale, visible


def test_the_temperature_undoes_overconfidence() -> None:
    margin, visible = logits(np.random.default_rng(0), 20000, 3.0)
    assert temperature(margin, visible) == pytest.approx(3.0, rel=0.06)


def test_fusing_weighs_networks_by_what_they_know() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(1.0, 2.0, 20000)
    visible = rng.random(20000) < 1 / (1 + np.exp(-truth))
    noise = rng.normal(0.0, 1.0, 20000)
    factors = fuse(np.stack([truth * 0.5, noise, -truth], axis=1), visible)
    assert factors[0] == pytest.approx(2.0, rel=0.06)
    assert factors[1] < 0.1
    assert factors[2] == 0.0


def test_a_first_network_that_poses_are_told_from_keeps_a_say() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(1.0, 2.0, 20000)
    visible = rng.random(20000) < 1 / (1 + np.exp(-truth))
    margins = np.stack([0.3 * truth + rng.normal(0.0, 2.0, 20000), truth], axis=1)  # the second knows it all
    assert fuse(margins, visible)[0] < 0.02
    factors = fuse(margins, visible, first=LEAST_FIRST)
    assert factors[0] == LEAST_FIRST
    assert factors[1] == pytest.approx(1.0 - 0.3 * LEAST_FIRST, abs=0.05)  # it makes room for the first
    assert fuse(margins[:, ::-1], visible, first=LEAST_FIRST) == pytest.approx(fuse(margins[:, ::-1], visible))


@pytest.mark.parametrize(("factor", "most_px"), [(LEAST_FIRST, 10.0), (1.0, 10.0)])
def test_at_its_least_factor_hidden_keypoints_hardly_turn_a_pose(factor: float, most_px: float) -> None:
    rng = np.random.default_rng(0)
    mean, apart = rng.uniform(-200, 200, (9, 2)), []
    for _ in range(100):
        hidden = rng.permutation(9) < 4
        xy = mean + rng.normal(0, 4, (9, 2)) + hidden[:, None] * (rng.normal(0, 20, 2) + rng.normal(0, 10, (9, 2)))
        margin = np.where(hidden, -6.0, 6.0) + rng.normal(0, 4, 9)
        pose = robust_similarity(mean, xy, probabilities(factor * margin, 1.0))
        assert pose is not None
        apart.append(np.abs(mean @ pose[:2, :2].T + pose[:2, 2] - mean).max())
    assert np.mean(apart) < most_px


def test_thresholds_lose_the_stated_share_and_no_more() -> None:
    rng = np.random.default_rng(2)
    margin = np.stack([logits(rng, 2000, 1.0)[0], rng.normal(4.0, 1.0, 2000)], axis=1)
    visible = rng.random((2000, 2)) < 0.8
    thresholds = calibrate(margin, visible, ["a", "b"], false_reject=0.05)
    probability = 1 / (1 + np.exp(-margin / thresholds.temperature))
    for index, name in enumerate("ab"):
        own = probability[visible[:, index], index]
        limits = thresholds.of(name)
        assert 0.04 < (own < limits.visible_above).mean() <= 0.05
        assert 0.004 < (own < limits.hidden_below).mean() <= 0.0125
    assert thresholds.of("a").visible_above < thresholds.of("b").visible_above


def test_a_keypoint_with_few_examples_takes_the_threshold_of_all() -> None:
    rng = np.random.default_rng(3)
    margin, visible = rng.normal(2.0, 1.0, (400, 2)), np.ones((400, 2), bool)
    visible[5:, 1] = False
    thresholds = calibrate(margin, visible, ["many", "few"], false_reject=0.05)
    assert thresholds.of("few").visible_above == pytest.approx(thresholds.of("many").visible_above, abs=0.02)


def test_too_few_parts_raise_no_threshold_above_one_half() -> None:
    visible = np.ones((20, 1), bool)
    assert calibrate(np.full((20, 1), 9.0), visible, ["a"], false_reject=0.02).of("a").visible_above == 0.5
    margin = np.full((20, 1), 2.0)
    margin[3] = -1.0
    limits = calibrate(margin, visible, ["a"], false_reject=0.02).of("a")
    assert limits.visible_above < 0.5


def test_without_any_visible_keypoint_one_half_stands() -> None:
    thresholds = calibrate(np.zeros((10, 1)), np.zeros((10, 1), bool), ["a"], false_reject=0.02)
    assert thresholds.of("a").visible_above == 0.5


def test_no_threshold_accepts_everything() -> None:
    """A keypoint that the networks are sure to be missing in 4 % of the parts that show it."""
    rng = np.random.default_rng(4)
    margin, visible = rng.normal(6.0, 1.0, (2000, 2)), np.ones((2000, 2), bool)
    margin[:80, 1] = -30.0
    visible[1900:], margin[1900:] = False, -30.0
    thresholds = calibrate(margin, visible, ["sound", "missed"], false_reject=0.02)
    missing = 1 / (1 + np.exp(30.0 / thresholds.temperature))
    assert thresholds.of("missed").visible_above == LEAST_ABOVE
    assert missing < LEAST_ABOVE < thresholds.of("sound").visible_above
    assert raised(thresholds) == ["missed"]


def test_margins_that_part_both_kinds_without_an_error_are_not_taken_for_certain() -> None:
    margin = np.concatenate((np.full(40, 3.0), np.full(10, -3.0)))
    assert temperature(margin, margin > 0) == pytest.approx(3.0 / math.log(41 / 1), rel=0.4)
    assert temperature(margin[:40], np.ones(40, bool)) == 1.0


def share_below(probability: float, thresholds: Thresholds, mean: float) -> float:
    """The exact share of visible keypoints, margins normal(mean, 1), below a limit."""
    if probability <= 0:
        return 0.0
    margin = thresholds.temperature * math.log(probability / (1 - probability))
    return 0.5 * math.erfc((mean - margin) / math.sqrt(2))


@pytest.mark.parametrize(("count", "rate"), [(60, 0.02), (150, 0.01), (1500, 0.01)])
def test_on_new_parts_the_stated_share_is_lost_in_the_mean_whatever_the_keypoint(count: int, rate: float) -> None:
    """Three keypoints, one much harder than the others; a threshold at the empirical quantile would lose up to twice that."""
    rng, means = np.random.default_rng(5), np.array([2.0, 4.0, 5.0])
    lost = []
    for _ in range(40):
        visible = rng.random((count, 3)) < 0.9
        margin = rng.normal(np.where(visible, means, -2.0), 1.0)
        limits = calibrate(margin, visible, "abc", false_reject=rate)
        lost.append(
            [
                [share_below(at, limits, mean) for at in (limits.of(name).visible_above, limits.of(name).hidden_below)]
                for name, mean in zip("abc", means, strict=True)
            ]
        )
    tables = np.array(lost)
    mean, error = tables.mean(0), tables.std(0) / math.sqrt(len(lost))
    own_rate_stated = 0.9 * count > 1.2 / rate
    for k in range(3):
        if k or own_rate_stated:
            assert mean[k, 0] <= rate + 3 * error[k, 0]
        if k or UNSURE_SHARE * rate * 0.9 * count > 1.2:
            assert mean[k, 1] <= UNSURE_SHARE * rate + 3 * error[k, 1]
    assert mean[:, 0].max() > rate / 3  # nor is it so low that it says nothing


def test_keypoints_that_are_alike_share_what_they_know() -> None:
    """The second smallest of 150 loses 1.3 % with a standard deviation of 0.9 %: alone, each would be chance."""
    rng, lost = np.random.default_rng(8), []
    for _ in range(30):
        visible = rng.random((150, 8)) < 0.95
        margin = rng.normal(np.where(visible, 4.0, -2.0), 1.0)
        limits = calibrate(margin, visible, "abcdefgh", false_reject=0.01)
        lost.append([share_below(limits.of(name).visible_above, limits, 4.0) for name in "abcdefgh"])
    assert np.std(lost) < 0.005
    assert 0.005 < np.mean(lost) <= 0.01 + 3 * np.std(np.mean(lost, axis=1)) / math.sqrt(30)


def test_the_intervals_hold_the_true_rates_as_often_as_they_say() -> None:
    rng = np.random.default_rng(6)
    held = []
    for _ in range(150):
        visible = rng.random((500, 1)) < 0.8
        margin = rng.normal(np.where(visible, 3.0, -1.0), 1.0)
        thresholds = calibrate(margin, visible, "a", false_reject=0.02)
        limits = thresholds.of("a")
        assert limits.false_reject is not None
        assert limits.false_accept is not None
        rejected = share_below(limits.visible_above, thresholds, 3.0)
        accepted = 1 - share_below(limits.visible_above, thresholds, -1.0)
        held.append(
            (
                limits.false_reject[0] <= rejected <= limits.false_reject[1],
                limits.false_accept[0] <= accepted <= limits.false_accept[1],
            )
        )
    assert (np.mean(held, axis=0) > 0.92).all()


def test_a_person_is_told_what_rests_on_too_little() -> None:
    rng = np.random.default_rng(7)
    visible = np.ones((400, 3), bool)
    visible[:60], visible[5:, 1] = False, False
    visible[:60, 2] = True
    margin = rng.normal(np.where(visible, 3.0, -3.0), 1.0)
    thresholds = calibrate(margin, visible, ["sound", "rare", "always"], false_reject=0.01)
    assert [line.rpartition(": ")[2] for line in concerns(thresholds)] == ["rare (0)", "always (0)"]
    assert thresholds.of("sound").examples == (340, 60)
    assert thresholds.of("always").false_accept == (0.0, 1.0)
