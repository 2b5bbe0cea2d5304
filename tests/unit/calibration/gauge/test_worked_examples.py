"""Studies give the figures that were published for the same data, to the digits that were printed."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.gauge.anova import Grr, Source, grr
from calibration.gauge.attribute import agreement, kappa, rate
from calibration.gauge.capability import capability, cpk_error, indices
from calibration.gauge.linearity import linearity
from calibration.gauge.type1 import type1
from pipeline.errors import DataError
from tests.unit.calibration.gauge.examples import AIAG_GRR, AIAG_LINEARITY


@pytest.fixture(scope="module")
def aiag() -> Grr:
    return grr(AIAG_GRR)


def test_anova_of_aiag_as_minitab_prints_it_for_gageaiag(aiag: Grr) -> None:
    """Minitab's help, "Example of Crossed Gage R&R Study": two-way ANOVA table without interaction."""
    assert [(one.name, one.degrees, round(one.squares, 4)) for one in aiag.sources] == [
        ("part", 9, 88.3619),
        ("loading", 2, 3.1673),
        ("repeatability", 78, 3.1179),
        ("total", 89, 94.6471),
    ]
    part, loading, error, _ = aiag.sources
    assert (round(part.mean_square, 5), round(loading.mean_square, 5), round(error.mean_square, 5)) == (
        9.81799,
        1.58363,
        0.03997,
    )
    assert (round(part.f or 0, 3), round(loading.f or 0, 3)) == (245.614, 39.617)
    assert aiag.pooled


def test_components_of_aiag(aiag: Grr) -> None:
    """AIAG MSA 4, table III-B 8: standard deviations, percent of the total variation, ndc; variances as Minitab prints them."""
    assert [round(sigma, 6) for sigma in (aiag.ev, aiag.av, aiag.interaction, aiag.grr, aiag.pv)] == [
        0.199933,
        0.226838,
        0.0,
        0.302372,
        1.042327,
    ]
    assert [round(sigma**2, 5) for sigma in (aiag.grr, aiag.pv, aiag.tv)] == [0.09143, 1.08645, 1.17788]
    assert [round(aiag.of_total(sigma), 1) for sigma in (aiag.ev, aiag.av, aiag.grr, aiag.pv)] == [
        18.4,
        20.9,
        27.9,
        96.0,
    ]
    assert aiag.ndc == 4


def test_an_interaction_is_kept_where_it_is_there() -> None:
    rng = np.random.default_rng(0)
    both = rng.normal(0, 1.0, (10, 3, 1))
    values = rng.normal(0, 5.0, (10, 1, 1)) + both + rng.normal(0, 0.1, (10, 3, 3))
    found = grr(values)
    assert not found.pooled
    assert [one.name for one in found.sources] == ["part", "loading", "part x loading", "repeatability", "total"]
    assert found.ev == pytest.approx(0.1, rel=0.3)
    assert found.interaction == pytest.approx(1.0, rel=0.4)
    assert sum(one.squares for one in found.sources[:-1]) == pytest.approx(found.sources[-1].squares)
    assert found.grr**2 == pytest.approx(found.ev**2 + found.av**2 + found.interaction**2)


def test_one_loading_has_no_reproducibility() -> None:
    found = grr(np.random.default_rng(1).normal(0, 1, (5, 1, 4)))
    assert (found.av, found.interaction) == (0.0, 0.0)
    assert found.sources[1] == Source("loading", 0, 0.0, 0.0)


def test_a_gauge_that_never_varies_has_no_end_of_categories() -> None:
    found = grr(np.repeat(np.arange(4.0)[:, None, None], 2, 2))
    assert (found.grr, found.ndc) == (0.0, None)


@pytest.mark.parametrize("shape", [(1, 3, 3), (10, 3, 1)])
def test_too_small_a_study_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(DataError, match="two parts and two repeats"):
        grr(np.zeros(shape))


def test_linearity_of_aiag() -> None:
    """AIAG MSA 4, III B: slope, intercept and their t; Minitab's help, "Example of Gage Linearity and Bias Study"."""
    references = [size for size, values in AIAG_LINEARITY.items() for _ in values]
    found = linearity(references, [value for values in AIAG_LINEARITY.values() for value in values])
    assert (round(found.slope, 6), round(found.intercept, 6)) == (-0.131667, 0.736667)
    assert (round(found.slope_t or 0, 3), round(found.intercept_t or 0, 3)) == (-12.043, 10.158)
    assert (round(found.residual, 5), round(100 * found.r_squared, 1)) == (0.23954, 71.4)
    assert [round(one.bias, 6) for one in found.parts] == [0.491667, 0.125, 0.025, -0.291667, -0.616667]
    assert round(found.bias, 6) == -0.053333
    assert not found.is_linear


def test_effectiveness_of_aiag() -> None:
    """AIAG MSA 4, table III-C 8: appraiser A is right on 42 of 50 parts: 84%, 95% interval 71% to 93%."""
    found = rate(42, 50)
    assert [round(100 * value) for value in (found.share or 0, found.low, found.high)] == [84, 71, 93]


def test_the_ends_of_rates() -> None:
    assert (rate(0, 10).low, round(rate(0, 10).high, 4)) == (0.0, 0.3085)  # 1 - 0.025^(1/10)
    assert (rate(10, 10).high, round(rate(10, 10).low, 4)) == (1.0, 0.6915)
    assert rate(0, 0).share is None


def test_kappa_of_a_table() -> None:
    """20 and 15 cases agreed on, 5 and 10 not: observed 0.7, by chance 0.5 (the example of most textbooks): 0.4."""
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    assert kappa(pairs) == pytest.approx(0.4)
    assert kappa([(True, True)] * 3) is None


def test_misses_and_false_alarms_are_counted_over_their_own_parts() -> None:
    truths = {"good": True, "bad": False, "worse": False}
    found = agreement(
        truths, {"good": [True, False, True], "bad": [False, False, True], "worse": [False, False, False]}
    )
    assert (found.miss.hits, found.miss.cases) == (1, 6)
    assert (found.false_alarm.hits, found.false_alarm.cases) == (1, 3)
    assert (found.consistent.hits, found.effective.hits) == (1, 1)
    with pytest.raises(DataError, match="'odd'"):
        agreement(truths, {"odd": [True]})


def test_capability_of_nist() -> None:
    """NIST/SEMATECH e-Handbook, 6.1.6: limits 8 and 20, mean 16, sigma 2: Cp 1.0, Cpk 0.6667."""
    cp, cpk = indices(16.0, 2.0, 8.0, 20.0)
    assert (cp, round(cpk, 4)) == (1.0, 0.6667)


def test_the_interval_of_cpk_holds_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    found = [capability(rng.normal(16.0, 2.0, 60).tolist(), 8.0, 20.0) for _ in range(1000)]
    assert 0.93 <= np.mean([one.cpk_low <= 2 / 3 <= one.cpk_high for one in found]) <= 0.97
    assert np.std([one.cpk for one in found]) == pytest.approx(cpk_error(2 / 3, 60), rel=0.1)


def test_type_1_on_the_bias_example_of_aiag() -> None:
    """AIAG MSA 4, III B: 15 readings of a part of 6.00 have the mean 6.0067. The indices follow from their definitions."""
    values = [5.8, 5.7, 5.9, 5.9, 6.0, 6.1, 6.0, 6.1, 6.4, 6.3, 6.0, 6.1, 6.2, 5.6, 6.0]
    found = type1(values, 6.0, 10.0)
    assert (round(found.mean, 4), round(found.bias, 4)) == (6.0067, 0.0067)
    sigma = math.sqrt(sum((value - sum(values) / 15) ** 2 for value in values) / 14)
    assert found.sigma == pytest.approx(sigma)
    assert (found.cg, found.cgk) == pytest.approx((0.2 * 10 / (6 * sigma), (0.1 * 10 - 0.1 / 15) / (3 * sigma)))
    assert found.bias_low < 0.0 < found.bias_high
    assert (found.p or 0) > 0.05


def test_type_1_without_any_spread() -> None:
    assert type1([5.0] * 10, 5.0, 1.0).cgk == math.inf
    assert type1([5.5] * 10, 5.0, 1.0).cgk == -math.inf
    with pytest.raises(DataError, match="there are 9 readings"):
        type1([5.0] * 9, 5.0, 1.0)


def test_the_analysis_of_variance_is_that_of_least_squares_by_indicators() -> None:
    values = np.array(AIAG_GRR, np.float64)  # parts x appraisers x trials
    parts, appraisers, trials = values.shape
    part, appraiser, _ = (axis.ravel() for axis in np.indices(values.shape))
    of_parts, of_appraisers = np.eye(parts)[part], np.eye(appraisers)[appraiser]

    def left(*indicators: NDArray[np.float64]) -> float:
        columns = np.hstack(indicators)
        solved = np.linalg.lstsq(columns, values.ravel(), rcond=None)[0]
        return float(((values.ravel() - columns @ solved) ** 2).sum())

    both = left(of_parts, of_appraisers)
    error = both / (values.size - parts - appraisers + 1)  # the interaction is pooled
    found = grr(values)
    assert found.pooled
    assert found.ev == pytest.approx(error**0.5)
    by_part, by_appraiser = left(of_appraisers) - both, left(of_parts) - both
    assert found.pv**2 == pytest.approx((by_part / (parts - 1) - error) / (appraisers * trials))
    assert found.av**2 == pytest.approx((by_appraiser / (appraisers - 1) - error) / (parts * trials))
