"""The robust fit of the shape model."""

import numpy as np
import pytest

from pipeline.shape import ShapeModel
from pipeline.stages.shape import ShapeFit

PART = np.array([[-3.0, -2], [3, -2], [3, 2], [-3, 2], [0, -2], [0, 2], [1, 0], [-2, 1]])


def rigid(mean: np.ndarray, noise: float = 0.01) -> ShapeModel:
    centred = mean - mean.mean(axis=0)
    unit = centred / np.sqrt((centred**2).sum(axis=1).mean())
    names = [f"k{number}" for number in range(len(mean))]
    return ShapeModel(names, [(x, y) for x, y in unit.tolist()], [], [], [noise] * len(mean))


def turned(mean: np.ndarray) -> np.ndarray:
    angle = 0.3
    return 40.0 * mean @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + [300.0, 250.0]


def test_points_of_weight_0_and_such_that_are_no_number_get_their_place_from_the_others() -> None:
    truth = turned(PART)
    xy, weight = truth.copy(), np.ones(len(PART))
    xy[1] += 90.0
    weight[1] = 0.0
    xy[2] = np.nan
    found = ShapeFit(rigid(PART))(xy, weight, np.full(len(PART), 1.0))
    assert np.abs(found.xy - truth).max() < 0.05
    assert found.is_inlier.tolist() == [True, False, False, True, True, True, True, True]
    assert found.residual_px[1] == pytest.approx(np.hypot(90, 90), abs=0.1)
    assert np.isnan(found.residual_px[2])


def test_a_place_far_from_what_is_known_is_known_less_well() -> None:
    weight = np.array([1.0, 0, 0, 0, 0, 0, 1, 1])
    found = ShapeFit(rigid(PART))(turned(PART), weight, np.full(len(PART), 2.0))
    assert found.sigma_px[1] > 1.5 * found.sigma_px[7]
    noisier = ShapeFit(rigid(PART, noise=0.2))(turned(PART), weight, np.full(len(PART), 2.0))
    assert (noisier.sigma_px > found.sigma_px).all()


@pytest.mark.parametrize("usable", [0, 1])
def test_what_is_too_little_to_fit_is_given_back(usable: int) -> None:
    xy = turned(PART)
    weight = np.zeros(len(PART))
    weight[:usable] = 1.0
    found = ShapeFit(rigid(PART))(xy, weight)
    assert np.array_equal(found.xy, xy)
    assert found.is_inlier.all()
    assert np.isnan(found.sigma_px).all()


@pytest.mark.parametrize("place", [0.0, 250.0, np.nan, np.inf, 1e30])
def test_points_in_one_place_have_no_shape(place: float) -> None:
    xy = np.full((len(PART), 2), place)
    found = ShapeFit(rigid(PART))(xy, np.ones(len(PART)))
    assert np.array_equal(found.xy, xy, equal_nan=True)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_views_of_few_keypoints_are_fitted_as_well_as_they_can_be(count: int) -> None:
    truth = turned(PART[:count])
    found = ShapeFit(rigid(PART[:3]) if count == 3 else few(count))(truth, np.ones(count), np.ones(count))
    assert np.abs(found.xy - truth).max() < 1e-6
    assert found.is_inlier.all()


def few(count: int) -> ShapeModel:
    return rigid(PART[:count]) if count > 1 else ShapeModel(["k0"], [(0.0, 0.0)], [], [], [0.0])


def test_the_same_points_give_the_same_shape() -> None:
    shape, rng = ShapeFit(rigid(PART)), np.random.default_rng(3)
    xy = turned(PART) + rng.normal(0, 20, PART.shape)
    first, second = (shape(xy, np.ones(len(PART))) for _ in range(2))
    assert np.array_equal(first.xy, second.xy)


def test_deviations_of_0_are_no_modes() -> None:
    still = rigid(PART)
    mode = [(1.0, 0.0)] + [(0.0, 0.0)] * (len(PART) - 1)
    model = ShapeModel(still.keypoints, still.mean, [mode], [0.0], still.noise)
    xy = turned(PART)
    xy[0] += [60.0, 0.0]
    assert not ShapeFit(model)(xy, np.ones(len(PART)), np.ones(len(PART))).is_inlier[0]
