from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.sigma import WITHIN_1_SIGMA, WITHIN_2_SIGMA, calibrate_sigma
from pipeline.sigma import SigmaScale, apply

KEYPOINTS = 5
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
Map = Callable[[np.ndarray], np.ndarray]


def shares_within(
    error_px: NDArray[np.floating], sigma_px: NDArray[np.floating], visible: NDArray[np.bool_]
) -> tuple[float, float]:
    ratio = np.abs(np.asarray(error_px, np.float64)) / np.asarray(sigma_px, np.float64)[..., None]
    known = ratio[np.asarray(visible, bool)]
    known = known[np.isfinite(known)]
    return (float((known <= 1).mean()), float((known <= 2).mean())) if known.size else (np.nan, np.nan)


def student(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_t(10, shape)


def mixture(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=shape) * np.where(rng.random(shape) < 0.1, 1.7, 1.0)


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=shape)


MAPS: dict[str, Map] = {
    "overconfident": lambda sigma: 2.5 * sigma,
    "exaggerated": lambda sigma: 0.8 * sigma**0.5,
    "understated": lambda sigma: 3.0 * sigma**1.5,
    "floor": lambda sigma: np.hypot(sigma, 0.4),
    "keypoints": lambda sigma: sigma * np.array([0.5, 0.8, 1.0, 1.2, 2.0]),
}


def simulated(draw: Draw, true: Map, parts: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sigma = np.exp(rng.normal(-1.2, 0.7, (parts, KEYPOINTS)))
    error = draw(rng, (parts, KEYPOINTS, 2)) * true(sigma)[..., None]
    visible = rng.random((parts, KEYPOINTS)) < 0.85
    error[~visible] = 50.0
    return error, sigma, visible


@pytest.mark.parametrize("true", MAPS.values(), ids=MAPS)
@pytest.mark.parametrize("draw", [normal, student, mixture])
def test_shares_on_new_parts_are_within_the_bars(draw: Draw, true: Map) -> None:
    scale = calibrate_sigma(*simulated(draw, true, 500, 1))
    error, sigma, visible = simulated(draw, true, 500, 2)
    one, two = shares_within(error, apply(scale, sigma), visible)
    assert WITHIN_1_SIGMA[0] <= one <= WITHIN_1_SIGMA[1]
    assert WITHIN_2_SIGMA[0] <= two <= WITHIN_2_SIGMA[1]
    assert scale.within_1_sigma == pytest.approx(one, abs=0.03)
    assert scale.within_2_sigma == pytest.approx(two, abs=0.02)


@pytest.mark.parametrize("name", ["exaggerated", "understated", "floor", "keypoints"])
def test_small_sigmas_and_large_ones_hold_alike(name: str) -> None:
    """One scale would do for all of them together, and be wrong for each."""
    scale = calibrate_sigma(*simulated(student, MAPS[name], 1500, 3))
    error, sigma, visible = simulated(student, MAPS[name], 1500, 4)
    for third in np.digitize(sigma, np.quantile(sigma, (1 / 3, 2 / 3))) == np.arange(3)[:, None, None]:
        one, _ = shares_within(error, apply(scale, sigma), visible & third)
        assert one == pytest.approx(0.68, abs=0.05)


def test_keypoints_that_differ_have_factors_and_such_that_do_not_have_none() -> None:
    factors = calibrate_sigma(*simulated(normal, MAPS["keypoints"], 1500, 5)).factors
    assert np.array(factors) / factors[2] == pytest.approx([0.5, 0.8, 1.0, 1.2, 2.0], rel=0.1)
    even = calibrate_sigma(*simulated(normal, MAPS["overconfident"], 1500, 6)).factors
    assert even == [] or np.array(even) == pytest.approx(np.ones(KEYPOINTS), abs=0.05)


def test_tails_that_no_scale_can_serve_are_off_by_as_much_in_both_shares() -> None:
    rng = np.random.default_rng(7)
    error, sigma, visible = rng.standard_t(2, (2000, 1, 2)), np.ones((2000, 1)), np.ones((2000, 1), bool)
    one, two = shares_within(error, apply(calibrate_sigma(error, sigma, visible), sigma), visible)
    assert (one - 0.68) / 0.03 == pytest.approx((0.95 - two) / 0.02, abs=0.2)
    assert one > WITHIN_1_SIGMA[1]


def test_few_coordinates_give_a_scale_alone_and_none_the_identity() -> None:
    error, sigma, visible = simulated(normal, MAPS["exaggerated"], 15, 8)
    scale = calibrate_sigma(error, sigma, visible)
    assert (scale.power, scale.floor_px, scale.factors) == (1.0, 0.0, [])
    assert scale.coordinates == 2 * visible.sum()
    nothing = calibrate_sigma(error, sigma, np.zeros_like(visible))
    assert nothing == SigmaScale(coordinates=0)


def test_a_handful_of_coordinates_is_trusted_little() -> None:
    error, sigma, visible = np.full((1, 1, 2), 8.0), np.ones((1, 1)), np.ones((1, 1), bool)
    assert 1.0 < calibrate_sigma(error, sigma, visible).scale < 3.0
    many = [np.repeat(array, 60, axis=0) for array in (error, sigma, visible)]
    assert 6.0 < calibrate_sigma(*many).scale <= 8.0


def test_what_has_no_sigma_or_no_known_place_is_left_out() -> None:
    error, sigma, visible = simulated(normal, MAPS["overconfident"], 300, 9)
    spoilt_error, spoilt_sigma = error.copy(), sigma.copy()
    spoilt_error[:50, 0], spoilt_sigma[:50, 1] = np.nan, np.nan
    fewer = visible.copy()
    fewer[:50, :2] = False
    assert calibrate_sigma(spoilt_error, spoilt_sigma, visible) == calibrate_sigma(error, sigma, fewer)
