import numpy as np
import pytest

from calibration.visibility import LEAST_ABOVE, calibrate, fuse, raised, temperature


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


def test_thresholds_lose_the_stated_share_and_no_more() -> None:
    rng = np.random.default_rng(2)
    margin = np.stack([logits(rng, 2000, 1.0)[0], rng.normal(4.0, 1.0, 2000)], axis=1)
    visible = rng.random((2000, 2)) < 0.8
    thresholds = calibrate(margin, visible, ["a", "b"], false_reject=0.05)
    probability = 1 / (1 + np.exp(-margin / thresholds.temperature))
    for index, name in enumerate("ab"):
        own = probability[visible[:, index], index]
        limits = thresholds.of(name)
        assert 0.045 < (own < limits.visible_above).mean() <= 0.05
        assert 0.009 < (own < limits.hidden_below).mean() <= 0.0125
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
