import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.shapes import align, poses

ANGLE = st.floats(-3.1, 3.1)
SIZE = st.floats(0.05, 20.0)
SHIFT = st.floats(-500.0, 500.0)
SHAPES = np.random.default_rng(0).normal(0, 30, (6, 5, 2)) * 0.1 + np.random.default_rng(1).normal(0, 30, (5, 2))
KNOWN = np.ones((6, 5), bool)
KNOWN[1, 2] = KNOWN[4, 0] = False


def carried(z: np.ndarray, angle: float, size: float, x: float, y: float) -> np.ndarray:
    moved = (z[..., 0] + 1j * z[..., 1]) * size * np.exp(1j * angle) + x + 1j * y
    return np.stack((moved.real, moved.imag), -1)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(ANGLE, SIZE, SHIFT, SHIFT), min_size=6, max_size=6))
def test_the_pose_of_the_shapes_does_not_change_their_alignment(similarities: list[tuple[float, ...]]) -> None:
    """Up to one rotation of all: the mean orientation is that of the images."""
    mean, aligned = align(SHAPES, KNOWN)
    moved = np.stack([carried(shape, *how) for shape, how in zip(SHAPES, similarities, strict=True)])
    other_mean, other = align(moved, KNOWN)
    turn, _ = poses(other_mean[None], KNOWN[:1], mean)
    assert abs(abs(turn[0]) - 1) < 1e-6
    back = carried(other, -float(np.angle(turn[0])), 1.0, 0.0, 0.0)
    np.testing.assert_allclose(back[KNOWN], aligned[KNOWN], atol=1e-5)


@settings(deadline=None)
@given(ANGLE, SIZE, SHIFT, SHIFT)
def test_the_pose_that_made_a_shape_is_found(angle: float, size: float, x: float, y: float) -> None:
    shape = carried(SHAPES[0], angle, size, x, y)
    for known in (KNOWN[:1], KNOWN[1:2]):
        a, b = poses(shape[None], known, SHAPES[0])
        np.testing.assert_allclose(a[0], size * np.exp(1j * angle), rtol=1e-7)
        np.testing.assert_allclose(b[0], x + 1j * y, atol=1e-6)
