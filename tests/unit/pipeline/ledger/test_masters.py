"""Masters: when they are due, what counts as shown, and when what they measure is out of control."""

from datetime import datetime

import numpy as np
import pytest

from pipeline.ledger.drift import BASELINE, Chart
from pipeline.ledger.masters import Masters
from pipeline.messages import LoadedRecipe
from pipeline.recipe_masters import MastersSettings
from pipeline.result import Evaluation, Measurement, Reason, Result
from tests.results import result

SECOND = 1_000_000_000
SHIFTS = ["06:00", "22:00"]
DAY = int(datetime(2026, 3, 4).astimezone().timestamp()) * SECOND


class Kept:
    """What a journal keeps."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def setting(self, name: str) -> str | None:
        return self.values.get(name)

    def set_setting(self, name: str, value: str) -> None:
        self.values[name] = value


def recipe(configuration: str = "c1", **settings: object) -> LoadedRecipe:
    parts = {"M-OK": "OK", "M-BAD": "NOT_OK span.high"}
    masters = MastersSettings(parts=parts, **settings)  # type: ignore[arg-type]  # each is of its own type
    return LoadedRecipe(1, "part", configuration, masters=masters)


def found(part: str, evaluation: Evaluation, *reasons: Reason, value: float = 5.0) -> Result:
    span = Measurement("span", value, "mm", 5.0, 4.9, 5.1, evaluation, "top", 0.01)
    return result(part_id=part, result_evaluation=evaluation, reasons=list(reasons), measurements=[span])


HIGH = Reason("high", name="span", view="top", value=5.2, limit=5.1, unit="mm")
GOOD, BAD = found("M-OK", Evaluation.OK), found("M-BAD", Evaluation.NOT_OK, HIGH)


def shown(kept: Kept | None = None, ring: int = 1, now: int = DAY) -> Masters:
    """All masters have just been found to be what they are."""
    masters = Masters(kept or Kept(), ring, SHIFTS)
    for one in (GOOD, BAD):
        masters.observe(recipe(), one, now)
    return masters


def test_each_master_is_due_until_it_was_found_to_be_what_it_is() -> None:
    masters = Masters(Kept(), 1, SHIFTS)
    assert masters.due(recipe(), DAY) == ["M-OK", "M-BAD"]
    masters.observe(recipe(), GOOD, DAY)
    assert masters.due(recipe(), DAY) == ["M-BAD"]
    assert masters.fault(recipe(), DAY).startswith("masters are due: M-BAD (next: datumd trigger --part-id")
    masters.observe(recipe(), BAD, DAY)
    assert (masters.due(recipe(), DAY), masters.fault(recipe(), DAY)) == ([], "")


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (found("M-BAD", Evaluation.OK), "found OK, must be NOT_OK span.high"),
        (found("M-BAD", Evaluation.NOT_OK, Reason("hidden", name="pin", view="top")), "found NOT_OK pin.hidden"),
        (found("M-OK", Evaluation.NOT_OK, HIGH), "found NOT_OK span.high 5.2 mm (limit 5.1), must be OK"),
    ],
)
def test_a_master_that_is_found_to_be_something_else_is_due_again(one: Result, told: str) -> None:
    masters = shown()
    masters.observe(recipe(), one, DAY + 1)
    assert masters.due(recipe(), DAY + 2) == [one.part_id]
    assert told in masters.fault(recipe(), DAY + 2)
    masters.observe(recipe(), GOOD if one.part_id == "M-OK" else BAD, DAY + 3)
    assert masters.fault(recipe(), DAY + 3) == ""


def test_a_new_ledger_knows_and_a_new_daemon_asks_again() -> None:
    kept = Kept()
    shown(kept)
    assert Masters(kept, 1, SHIFTS).due(recipe(), DAY) == []
    assert Masters(kept, 2, SHIFTS).due(recipe(), DAY) == ["M-OK", "M-BAD"]
    assert Masters(kept, 2, SHIFTS).due(recipe(due=["recipe_change"]), DAY) == []


def test_another_recipe_and_another_state_of_it_ask_again() -> None:
    masters = shown()
    masters.changed(recipe())
    assert masters.due(recipe(), DAY) == ["M-OK", "M-BAD"]
    assert shown().due(recipe("c2"), DAY) == ["M-OK", "M-BAD"]
    assert shown().due(recipe("c2", due=["restart"]), DAY) == []


@pytest.mark.parametrize(
    ("hour", "due", "blocks"), [(5.9, False, False), (6.1, True, False), (6.6, True, True), (23.0, True, True)]
)
def test_a_shift_asks_again_and_its_grace_lets_parts_pass(hour: float, due: bool, blocks: bool) -> None:
    daily = recipe(due=["shift"], grace_min=30.0)
    masters = shown(now=DAY - 3600 * SECOND)  # in the shift that began at 22:00
    now = DAY + int(hour * 3600) * SECOND
    assert bool(masters.due(daily, now)) is due
    assert bool(masters.fault(daily, now)) is blocks


def test_without_masters_nothing_is_due_and_damage_in_the_journal_is_nothing_known() -> None:
    plain, kept = LoadedRecipe(1, "part", "c1"), Kept()
    kept.set_setting("masters", '{"1":{"passed":[]}}')
    assert Masters(kept, 1, SHIFTS).due(recipe(), DAY) == ["M-OK", "M-BAD"]
    assert (Masters(kept, 1, SHIFTS).due(plain, DAY), Masters(kept, 1, SHIFTS).fault(None, DAY)) == ([], "")


def chart(values: np.ndarray, limit: float = 3.0) -> list[int]:
    """The numbers of the values at which it rings."""
    one, rung = Chart(), []
    for index, value in enumerate(values):
        one.add(float(value), None)
        if one.alarm(limit):
            rung.append(index)
    return rung


def test_a_chart_rings_at_a_jump_and_at_a_slow_drift_and_seldom_without() -> None:
    rng = np.random.default_rng(2)
    first = np.array([-1.0, 1.0, -0.5, 0.5, 0.0, 0.2, -0.2, 1.5, -1.5, 0.0])  # of standard deviation 0.9
    still = np.concatenate([first, rng.normal(0.0, 0.9, 200)])
    assert len(chart(still)) <= 6
    assert chart(np.concatenate([first, [0.1, 5.0]])) == [BASELINE + 1]
    drifting = np.concatenate([first, 0.05 * np.arange(60)])
    assert BASELINE < chart(drifting)[0] < BASELINE + 40  # at less than 2 sigma, which no single value would tell


def test_a_chart_rings_where_values_repeat_worse_though_each_is_within_its_limits() -> None:
    first = np.array([-1.0, 1.0, -0.5, 0.5, 0.0, 0.2, -0.2, 1.5, -1.5, 0.0])
    shaking = np.concatenate([first, np.tile([2.5, -2.5], 6)])
    assert chart(np.concatenate([first, np.tile([1.0, -1.0], 6)])) == []
    assert chart(shaking)[0] == BASELINE + 4


def test_what_a_good_master_measures_is_watched_across_ledgers() -> None:
    kept = Kept()
    for index in range(BASELINE + 1):
        Masters(kept, 1, SHIFTS).observe(recipe(), found("M-OK", Evaluation.OK, value=5.0 + 0.001 * (index % 3)), DAY)
    assert Masters(kept, 1, SHIFTS).alarms(recipe()) == []
    Masters(kept, 1, SHIFTS).observe(recipe(), found("M-OK", Evaluation.OK, value=5.06), DAY)
    (alarm,) = Masters(kept, 1, SHIFTS).alarms(recipe())
    assert alarm.startswith("M-OK span 5.06 lies 5.")  # sigmas of 0.01: the stated one is larger than the scatter
    assert Masters(kept, 1, SHIFTS).alarms(recipe("c2")) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"parts": {"M": "GOOD"}}, "M: 'GOOD' is no finding"),
        ({"parts": {"M": "OK span.high"}}, "M: a part that is OK has no reason"),
        ({"parts": {"M": "OK"}, "due": []}, "due is empty"),
    ],
)
def test_masters_that_cannot_be_meant_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MastersSettings(**settings)  # type: ignore[arg-type]  # each is of its own type


def test_what_was_shown_by_a_clock_that_was_ahead_does_not_count() -> None:
    masters = shown(now=DAY + 400 * 24 * 3600 * SECOND)
    assert masters.due(recipe(), DAY) == ["M-OK", "M-BAD"]
    assert shown(now=DAY + 30 * SECOND).due(recipe(), DAY) == []
