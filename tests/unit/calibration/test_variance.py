"""Variances found from few values."""

import numpy as np
import pytest
from scipy.special import polygamma

from calibration.variance import moderated, trigamma


def test_what_chance_explains_is_drawn_together_and_what_it_does_not_stays() -> None:
    rng = np.random.default_rng(5)
    found = 4.0 * rng.chisquare(24, 90) / 24
    alike = moderated(np.append(found, 80.0), 24.0)  # the last one lies under dust
    assert alike[:-1].std() < 0.3 * found.std()
    assert alike[:-1].mean() == pytest.approx(4.0, rel=0.06)
    assert alike[-1] == 80.0
    true = np.exp(rng.normal(0.0, 1.0, 90))
    differ = true * rng.chisquare(24, 90) / 24
    assert np.corrcoef(np.log(moderated(differ, 24.0)), np.log(true))[0, 1] > 0.95
    assert moderated(found[:5], 24.0).tolist() == found[:5].tolist()


@pytest.mark.parametrize("value", [1.5, 4.0, 20.0])
def test_trigamma(value: float) -> None:
    assert trigamma(value) == pytest.approx(float(polygamma(1, value)), rel=0.01)
