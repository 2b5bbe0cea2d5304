import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import DataError
from training.method import ShapeMethod
from training.shapes import align, learn_shape, mean_shape_px, poses, rectified_shapes, templates

NAMES = list("abcdef")
BASE = np.array([[0, 0], [60, 5], [70, 45], [30, 60], [-10, 40], [20, 20]], np.float64)
BEND = np.array([[0, 1], [0, -1], [0, 1], [0, -1], [0, 0], [0, 0]], np.float64) / 2


def posed(rng: np.random.Generator, shapes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shapes (S, K, 2) turned by up to half a turn, scaled and moved, each another way."""
    turn = np.exp(rng.normal(0, 0.1, len(shapes)) + 1j * rng.uniform(-1, 1, len(shapes)))
    z = (shapes[..., 0] + 1j * shapes[..., 1]) * turn[:, None] + rng.normal(200, 40, (len(shapes), 1))
    return np.stack((z.real, z.imag), -1)


def bent(count: int, seed: int, *, bend: float = 6.0, noise: float = 0.3) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    amount = rng.normal(0, bend, (count, 1, 1))
    return posed(rng, BASE + amount * BEND + rng.normal(0, noise, (count, 6, 2)))


def test_the_shape_model_finds_the_bend_and_the_noise() -> None:
    shapes = bent(400, 0)
    model = learn_shape(shapes, np.ones(shapes.shape[:2], bool), NAMES, ShapeMethod(variance=0.9))
    mean, mode = np.array(model.mean), np.array(model.modes)[0]
    assert len(model.modes) == 1
    assert mean.mean(0) == pytest.approx([0, 0], abs=1e-9)
    assert np.square(mean).sum(1).mean() == pytest.approx(1.0)
    assert np.square(mode).sum() == pytest.approx(1.0)
    size = np.sqrt(np.square(BASE - BASE.mean(0)).sum(1).mean())
    assert np.array(model.noise).mean() == pytest.approx(0.3 / size, rel=0.15)
    assert model.deviations[0] == pytest.approx(6.0 / size, rel=0.15)


def test_keypoints_that_are_not_known_hardly_change_the_model() -> None:
    shapes = bent(400, 1)
    known = np.random.default_rng(2).random(shapes.shape[:2]) > 0.2
    whole = learn_shape(shapes, np.ones_like(known), NAMES, ShapeMethod(variance=0.9))
    shapes[~known] = np.nan
    some = learn_shape(shapes, known, NAMES, ShapeMethod(variance=0.9))
    assert np.array(some.mean) == pytest.approx(np.array(whole.mean), abs=0.01)
    assert len(some.modes) == 1
    assert abs(np.sum(np.array(some.modes) * np.array(whole.modes))) > 0.98
    assert some.deviations[0] == pytest.approx(whole.deviations[0], rel=0.1)
    assert some.noise == pytest.approx(whole.noise, rel=0.35)


def test_few_parts_have_few_modes_and_two_keypoints_none() -> None:
    shapes = bent(5, 3)
    known = np.ones(shapes.shape[:2], bool)
    assert len(learn_shape(shapes, known, NAMES, ShapeMethod(variance=1.0)).modes) == 1
    assert len(learn_shape(shapes[:1], known[:1], NAMES, ShapeMethod(variance=1.0)).modes) == 0
    pairs = learn_shape(bent(50, 4)[:, :2], np.ones((50, 2), bool), NAMES[:2], ShapeMethod(variance=1.0))
    assert pairs.modes == []
    assert min(pairs.noise) > 0
    three = learn_shape(bent(50, 4)[:, :3], np.ones((50, 3), bool), NAMES[:3], ShapeMethod(variance=1.0))
    assert len(three.modes) == 2
    alone = learn_shape(bent(50, 4)[:, :1], np.ones((50, 1), bool), NAMES[:1], ShapeMethod())
    assert alone.mean == [(0.0, 0.0)]
    assert alone.modes == []


def test_a_keypoint_that_no_shape_knows_is_named() -> None:
    shapes = bent(20, 5)
    known = np.ones(shapes.shape[:2], bool)
    known[:, 3] = False
    with pytest.raises(DataError, match="d: has no position in any training part"):
        learn_shape(shapes, known, NAMES, ShapeMethod())
    known[0] = np.arange(len(NAMES)) == 3  # here it is, but alone
    with pytest.raises(DataError, match="d: is never labelled together with enough"):
        learn_shape(shapes, known, NAMES, ShapeMethod())
    with pytest.raises(DataError, match="all keypoints lie on one point"):
        learn_shape(np.zeros((9, 6, 2)), np.ones((9, 6), bool), NAMES, ShapeMethod())


def test_aligned_shapes_lie_on_one_another() -> None:
    shapes = posed(np.random.default_rng(6), np.repeat(BASE[None], 9, axis=0))
    known = np.ones(shapes.shape[:2], bool)
    known[2, 1] = known[5, :3] = False
    mean, aligned = align(shapes, known)
    assert np.isnan(aligned[2, 1]).all()
    assert np.nanmax(np.abs(aligned - mean)) < 1e-7


def test_templates_are_training_shapes_and_represent_each_kind() -> None:
    rng = np.random.default_rng(7)
    kinds = rng.uniform(0, 100, (5, 6, 2))
    shapes = kinds[rng.integers(0, 5, 600)] + rng.normal(0, 0.5, (600, 6, 2))
    found = templates(shapes, 5, 0)
    assert found.shape == (5, 6, 2)
    assert all((shapes == one).all((1, 2)).any() for one in found)
    nearest = np.abs(found[:, None] - kinds).mean((2, 3)).argmin(1)
    assert sorted(nearest) == [0, 1, 2, 3, 4]
    assert np.array_equal(templates(shapes, 5, 0), found)


def test_there_are_no_more_templates_than_distinct_shapes() -> None:
    few = np.repeat(np.arange(3.0), 4)[:, None, None] * np.ones((1, 2, 2))
    assert len(templates(few, 64, 0)) == 3
    assert len(templates(few[:1], 64, 0)) == 1


def test_rectified_shapes_keep_the_form_and_lie_near_the_mean_pose() -> None:
    shapes = bent(300, 8)
    mean = mean_shape_px(shapes)
    rectified = rectified_shapes(shapes, (400, 300), 0)
    known = np.ones(shapes.shape[:2], bool)
    turn, _ = poses(rectified, known, mean)
    assert np.abs(np.angle(turn)).max() < np.deg2rad(15)
    assert np.abs(np.abs(turn) - 1).max() < 0.2
    assert np.abs(rectified.mean((0, 1)) - mean.mean(0)).max() < 3
    assert np.std(np.angle(poses(shapes, known, mean)[0])) > 10 * np.std(np.angle(turn))
    assert rectified_shapes(shapes[:, :1], (400, 300), 0).shape == (300, 1, 2)
