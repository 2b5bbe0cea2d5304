import numpy as np
import pytest

from calibration.proportion import clopper_pearson


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [  # the closed forms 1 - 0.025^(1/n), and published tables
        (0, 10, 0.0, 0.3085),
        (0, 30, 0.0, 0.1157),
        (10, 10, 0.6915, 1.0),
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (10, 100, 0.0490, 0.1762),
    ],
)
def test_the_interval_is_that_of_the_tables(count: int, total: int, low: float, high: float) -> None:
    assert clopper_pearson(count, total) == pytest.approx((low, high), abs=6e-5)


def test_it_covers_at_least_what_it_says() -> None:
    rng = np.random.default_rng(0)
    for share, total in ((0.01, 300), (0.4, 25)):
        intervals = {count: clopper_pearson(count, total) for count in range(total + 1)}
        drawn = rng.binomial(total, share, 4000)
        covered = np.mean([intervals[int(count)][0] <= share <= intervals[int(count)][1] for count in drawn])
        assert covered >= 0.945


def test_large_counts_neither_overflow_nor_take_long() -> None:
    low, high = clopper_pearson(1000, 100_000)
    half = 1.96 * (0.01 * 0.99 / 100_000) ** 0.5
    assert (low, high) == pytest.approx((0.01 - half, 0.01 + half), abs=2e-5)


def test_of_nothing_nothing_is_known() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 of 2"):
        clopper_pearson(3, 2)
