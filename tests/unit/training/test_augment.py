import numpy as np

from training.augment import stretches


def test_a_stretch_keeps_the_area_and_what_is_longer_along_is_shorter_across() -> None:
    linear = stretches(np.random.default_rng(0), 0.25, 500)
    assert linear.shape == (500, 2, 2)
    assert np.allclose(np.linalg.det(linear), 1.0)
    assert np.allclose(linear, linear.transpose(0, 2, 1))  # no turn in it
    longest = np.linalg.eigvalsh(linear)[:, 1]
    assert 1.0 <= longest.min() < 1.02
    assert 1.25 < longest.max() <= np.exp(0.25)
    directions = np.linalg.eigh(linear)[1][:, :, 1]
    assert np.histogram(np.arctan2(*directions.T) % np.pi, 4, (0, np.pi))[0].min() > 80  # every way
