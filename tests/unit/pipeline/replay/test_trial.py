"""What many outcomes come to: spreads, and verdicts that flip."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.replay.rerun import Outcome
from pipeline.replay.trial import Spread, Trial
from pipeline.replay.trial_text import trial_text
from pipeline.result import Evaluation, Reason, Result
from tests.results import result


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40))
@settings(max_examples=30)
def test_a_spread_is_that_of_its_values(values: list[float]) -> None:
    spread = Spread()
    for value in values:
        spread.add(value)
    assert (spread.least, spread.most, spread.count) == (min(values), max(values), len(values))
    assert spread.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert spread.sigma == pytest.approx(np.std(values, ddof=1), abs=1e-7)


@pytest.mark.parametrize(
    ("lower", "upper", "cpk"), [(0.0, 10.0, 4 / 3), (None, 10.0, 2.0), (0.0, None, 4 / 3), (None, None, math.nan)]
)
def test_cpk_is_the_nearer_limit_over_three_sigma(lower: float | None, upper: float | None, cpk: float) -> None:
    spread = Spread()
    for value in (3.0, 4.0, 5.0):
        spread.add(value)
    assert spread.cpk(lower, upper) == pytest.approx(cpk, nan_ok=True)
    assert math.isnan(Spread().cpk(lower, upper))


def with_value(value: float, evaluation: Evaluation) -> Result:
    measured = msgspec.structs.replace(result().measurements[0], value=value, evaluation=evaluation)
    return result(measurements=[measured], result_evaluation=evaluation, reasons=[])


def test_flips_are_counted_and_losses_measure_now_alone() -> None:
    ok, bad = with_value(12.5, Evaluation.OK), with_value(12.9, Evaluation.NOT_OK)
    trial = Trial()
    trial.add(Outcome("1-1", [ok], [ok]))
    trial.add(Outcome("1-2", [bad], [ok]))
    trial.add(Outcome("1-3", [result(reasons=[Reason("deadline")])], [bad]))
    trial.add(Outcome("1-4", [ok, ok], [ok]))
    trial.add(Outcome("1-5", [ok], [], other_recipe=True))
    trial.add(Outcome("1-6", [], [], fault="is damaged"))
    trial.add(Outcome("1-7", [result(purpose="master")], [bad]))
    assert dict(trial.verdicts) == {("OK", "OK"): 1, ("NOT_OK", "OK"): 1}
    assert (trial.flipped, trial.other_parts, trial.without_inspection) == (1, 1, 1)
    assert [flip.name for flip in trial.flips] == ["1-2", "1-4"]
    quantity = trial.quantities["pin_span"]
    assert (quantity.then.count, quantity.now.count, quantity.now.most) == (2, 3, 12.9)
    assert quantity.farthest == pytest.approx(0.4)
    text = trial_text(trial)
    assert "1-6: is damaged" in text
    assert "1 trigger(s) of masters, gauge studies and set-up are not counted" in text
    assert "1 trigger(s) of another recipe were left alone" in text
