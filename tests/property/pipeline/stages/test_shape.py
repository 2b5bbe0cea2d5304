"""A shape is found again although many of its points lie anywhere."""

import math

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.shape import ShapeModel
from pipeline.stages.shape import ShapeFit

COUNT = 14


def model(rng: np.random.Generator) -> ShapeModel:
    """Random points and two modes that neither move, turn nor scale."""
    mean = rng.normal(size=(COUNT, 2))
    mean -= mean.mean(axis=0)
    mean /= np.sqrt((mean**2).sum(axis=1).mean())
    similar = [mean.ravel(), (mean[:, ::-1] * [-1, 1]).ravel(), np.tile([1, 0], COUNT), np.tile([0, 1], COUNT)]
    directions = np.linalg.qr(np.concatenate([np.stack(similar, axis=1), rng.normal(size=(2 * COUNT, 2))], axis=1))[0]
    modes = directions[:, 4:].T.reshape(2, COUNT, 2)
    names = [f"k{number}" for number in range(COUNT)]
    return ShapeModel(names, mean.tolist(), modes.tolist(), [0.2, 0.1], [0.003] * COUNT)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    angle=st.floats(-math.pi, math.pi),
    size=st.floats(40.0, 400.0),
    far_px=st.floats(0.5, 10.0),
    coefficients=st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
)
def test_similarity_and_modes_are_found_with_two_fifths_of_the_points_far_off(
    seed: int, angle: float, size: float, far_px: float, coefficients: tuple[float, float]
) -> None:
    rng = np.random.default_rng(seed)
    shape = model(rng)
    moved = np.array(shape.mean) + np.tensordot(np.multiply(coefficients, shape.deviations), shape.modes, axes=1)
    turn = size * np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    truth = moved @ turn + rng.uniform(0, 500, 2)
    xy = truth + rng.normal(0, 0.002 * size, truth.shape)
    lost = rng.permutation(COUNT)[: 2 * COUNT // 5]
    directions = rng.uniform(-math.pi, math.pi, len(lost))
    xy[lost] += size * far_px * np.stack([np.cos(directions), np.sin(directions)], axis=1)
    found = ShapeFit(shape)(xy, np.ones(COUNT), np.full(COUNT, 0.003 * size))
    kept = np.setdiff1d(np.arange(COUNT), lost)
    assert np.abs(found.xy - truth)[kept].max() < 0.02 * size
    assert found.is_inlier[kept].all()
    assert not found.is_inlier[lost].any()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.floats(width=32)] * 2), min_size=COUNT, max_size=COUNT), st.integers(0, 100))
@example([(math.inf, -math.inf)] * COUNT, 0)
def test_no_points_make_it_fail(points: list[tuple[float, float]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.choice([0.0, 1e-300, 0.5, 1.0, np.nan], COUNT)
    found = ShapeFit(model(rng))(np.array(points), weight, rng.choice([np.nan, 0.0, 1.0, 1e30], COUNT))
    assert found.xy.shape == (COUNT, 2)
    assert not (found.is_inlier & ~np.isfinite(points).all(axis=1)).any()
