from dataclasses import replace

import pytest

from pipeline.result import Disposition, Evaluation, ResultState
from pipeline.sinks.modbus.handshake import DEPTH, Handshake
from pipeline.sinks.modbus.signals import Answer, Cause, Inputs, SelectRecipe, Take, Verdict
from tests.results import result

WINDOW = 1000
ENABLED = Inputs(trigger_enable=True)


def made(**options: int | bool) -> Handshake:
    """Enabled, the station at work with recipe 1."""
    handshake = Handshake(WINDOW, **options)  # type: ignore[arg-type]  # keywords of mixed types
    handshake.station(True, 1)
    handshake.write(ENABLED, 0)
    return handshake


def ok(seq: int, key: int, **changes: object) -> Answer:
    return replace(Answer((1, seq), key, key, 0, 1, "", Verdict.PASS, 1, (12.5,)), **changes)  # type: ignore[arg-type]  # keywords of mixed types


def trigger(handshake: Handshake, number: int, now: int = 0, part_id: str = "") -> Take:
    """A whole trigger of the PLC."""
    asked = replace(ENABLED, trigger=True, trigger_number=number, part_id=part_id)
    (action,) = handshake.write(asked, now)
    assert isinstance(action, Take)
    handshake.write(ENABLED, now)
    return action


def acknowledge(handshake: Handshake) -> None:
    handshake.write(replace(ENABLED, results_ack=True), 0)
    assert not handshake.outputs().results_valid
    handshake.write(ENABLED, 0)


def test_a_part_from_trigger_to_acknowledgement() -> None:
    handshake = made()
    assert handshake.outputs().trigger_ready
    asked = replace(ENABLED, trigger=True, trigger_number=71, part_id="SN-1", encoder=500, gate=120)
    assert handshake.write(asked, 0) == [Take(1, 71, "SN-1")]
    assert not handshake.outputs().trigger_ack
    handshake.triggered(1, 9, 0)
    assert handshake.outputs().trigger_ack
    handshake.write(ENABLED, 0)
    assert not handshake.outputs().trigger_ack
    assert handshake.outputs().belt == ((71, 620, Verdict.NONE),)
    handshake.answer(ok(1, 9, part_id="SN-1"), 10)
    seen = handshake.outputs()
    assert seen.results_valid
    assert seen.exposure_complete
    assert seen.shown is not None
    assert (seen.shown.number, seen.shown.asked.trigger_number, seen.shown.verdict) == (1, 71, Verdict.PASS)
    assert seen.belt == ((71, 620, Verdict.PASS),)
    assert handshake.write(ENABLED, WINDOW * 5) == []
    assert handshake.outputs().shown == seen.shown
    acknowledge(handshake)
    assert handshake.outputs().shown is None


def test_no_answer_in_the_window_is_no_verdict_and_a_late_pass_changes_nothing() -> None:
    handshake = made()
    trigger(handshake, 71)
    handshake.triggered(1, 9, 0)
    handshake.tick(WINDOW - 1)
    assert handshake.outputs().shown is None
    handshake.tick(WINDOW)
    shown = handshake.outputs().shown
    assert shown is not None
    assert (shown.verdict, shown.cause) == (Verdict.NONE, Cause.window)
    assert not handshake.outputs().exposure_complete
    handshake.answer(ok(1, 9), WINDOW + 1)
    assert handshake.outputs().shown == shown
    assert handshake.late == 1


def test_an_answer_at_the_end_of_the_window_is_late() -> None:
    handshake = made()
    trigger(handshake, 71)
    handshake.triggered(1, 9, 0)
    handshake.answer(ok(1, 9), WINDOW)
    assert handshake.passed == 0


def test_an_answer_may_overtake_the_reply_that_tells_its_number() -> None:
    handshake = made()
    trigger(handshake, 71)
    handshake.answer(ok(1, 9), 1)
    assert handshake.outputs().shown is None
    handshake.triggered(1, 9, 2)
    assert handshake.passed == 1


def test_an_answer_that_overtook_another_triggers_reply_is_not_taken_later() -> None:
    handshake = made()
    trigger(handshake, 71)
    handshake.answer(ok(1, 9), 1)
    handshake.triggered(1, 5, 2)
    trigger(handshake, 72)
    handshake.triggered(2, 9, 3)
    assert handshake.passed == 0


def test_results_are_shown_in_the_order_of_triggers() -> None:
    handshake = made()
    for number in (71, 72):
        handshake.triggered(trigger(handshake, number).acquisition, number, 0)
    handshake.answer(ok(1, 72), 1)
    assert handshake.outputs().shown is None
    handshake.answer(ok(2, 71, verdict=Verdict.FAIL), 2)
    shown = handshake.outputs().shown
    assert shown is not None
    assert (shown.asked.trigger_number, shown.verdict) == (71, Verdict.FAIL)
    acknowledge(handshake)
    shown = handshake.outputs().shown
    assert shown is not None
    assert (shown.asked.trigger_number, shown.verdict) == (72, Verdict.PASS)


def test_an_acknowledgement_that_stays_high_shows_no_second_result() -> None:
    handshake = made()
    for number in (71, 72):
        handshake.triggered(trigger(handshake, number).acquisition, number, 0)
        handshake.answer(ok(number, number), 1)
    held = replace(ENABLED, results_ack=True)
    for _ in range(3):
        handshake.write(held, 2)
        assert not handshake.outputs().results_valid
    handshake.write(ENABLED, 3)
    assert handshake.outputs().shown is not None
    handshake.write(ENABLED, 4)
    assert handshake.outputs().waiting == 1


def test_the_ninth_result_is_dropped_and_told_until_it_is_cleared() -> None:
    handshake = made()
    for number in range(1, DEPTH + 2):
        handshake.triggered(trigger(handshake, number).acquisition, number, 0)
        handshake.answer(ok(number, number), 1)
    assert handshake.outputs().results_buffer_overrun
    for number in range(1, DEPTH + 1):
        shown = handshake.outputs().shown
        assert shown is not None
        assert shown.asked.trigger_number == number
        acknowledge(handshake)
    assert handshake.outputs().shown is None
    assert handshake.outputs().results_buffer_overrun
    handshake.write(replace(ENABLED, error_reset=True), 2)
    assert not handshake.outputs().results_buffer_overrun
    assert not handshake.outputs().error


@pytest.mark.parametrize("why", ["not enabled", "station not ready", "recipe changes"])
def test_an_early_trigger_is_missed_and_told(why: str) -> None:
    handshake = made()
    enable = why != "not enabled"
    if why == "station not ready":
        handshake.station(False, 1)
    if why == "recipe changes":
        assert handshake.write(replace(ENABLED, recipe_request=True, recipe=2), 0) == [SelectRecipe(2)]
    assert handshake.write(Inputs(trigger_enable=enable, trigger=True, trigger_number=71), 0) == []
    seen = handshake.outputs()
    assert not seen.trigger_ready
    assert not seen.trigger_ack
    assert seen.error_code == Cause.early_trigger
    assert seen.missed_acq
    handshake.tick(WINDOW * 2)
    assert handshake.outputs().shown is None


def test_a_reconnect_forgets_everything_and_a_trigger_that_is_still_high_is_none() -> None:
    handshake = made()
    handshake.triggered(trigger(handshake, 71).acquisition, 71, 0)
    handshake.triggered(trigger(handshake, 72).acquisition, 72, 0)
    handshake.answer(ok(1, 71), 1)
    handshake.reset()
    seen = handshake.outputs()
    assert (seen.shown, seen.waiting, seen.belt, seen.trigger_ready) == (None, 0, (), False)
    assert handshake.write(replace(ENABLED, trigger=True), 2) == []
    handshake.answer(ok(2, 72), 3)
    assert handshake.outputs().shown is None
    handshake.write(ENABLED, 4)
    assert trigger(handshake, 73).acquisition == 3


def test_a_silent_plc_is_as_good_as_gone() -> None:
    handshake = made(silence_ns=100)
    handshake.write(replace(ENABLED, heartbeat=1), 0)
    handshake.tick(100)
    assert handshake.outputs().trigger_ready
    handshake.tick(101)
    assert not handshake.outputs().trigger_ready
    assert handshake.outputs().error_code == Cause.plc_silent


def test_an_answer_for_another_part_is_no_verdict() -> None:
    handshake = made()
    trigger(handshake, 71, part_id="SN-1")
    handshake.triggered(1, 9, 0)
    handshake.answer(ok(1, 9, part_id="SN-2"), 1)
    shown = handshake.outputs().shown
    assert shown is not None
    assert (shown.verdict, shown.cause) == (Verdict.NONE, Cause.other_part)


def test_every_part_found_at_a_trigger_must_pass() -> None:
    handshake = made()
    for number, second in ((1, Verdict.PASS), (2, Verdict.NONE), (3, Verdict.FAIL)):
        handshake.triggered(trigger(handshake, number).acquisition, number, 0)
        handshake.answer(ok(number * 2, number, part_count=2), 1)
        assert handshake.outputs().shown is None
        handshake.answer(ok(number * 2 + 1, number, part_count=2, part_index=1, verdict=second), 1)
        shown = handshake.outputs().shown
        assert shown is not None
        assert shown.verdict is second
        acknowledge(handshake)


def test_a_refused_trigger_is_shown_without_a_verdict() -> None:
    handshake = made()
    trigger(handshake, 71)
    handshake.refused(1, Cause.refused, 1)
    shown = handshake.outputs().shown
    assert shown is not None
    assert (shown.verdict, shown.cause, shown.asked.trigger_number) == (Verdict.NONE, Cause.refused, 71)


def test_a_trigger_of_the_line_is_answered_by_its_own_number() -> None:
    handshake = made(own_trigger=True)
    assert trigger(handshake, 71, part_id="SN-1") == Take(1, 71, "SN-1")
    assert handshake.write(replace(ENABLED, trigger=True, trigger_number=71), 0) == []
    assert handshake.outputs().error_code == Cause.number_twice
    handshake.answer(ok(1, 71, part_id="SN-1", software_trigger=None), 1)
    assert handshake.passed == 1


def test_a_result_that_was_published_again_answers_nothing() -> None:
    handshake = made(own_trigger=True)
    trigger(handshake, 71)
    handshake.answer(ok(1, 71), 1)
    acknowledge(handshake)
    trigger(handshake, 71)
    handshake.answer(ok(1, 71), 2)
    assert handshake.outputs().shown is None


def test_a_recipe_that_is_refused_is_told() -> None:
    handshake = made()
    handshake.write(replace(ENABLED, recipe_request=True, recipe=9), 0)
    assert not handshake.outputs().recipe_ready
    handshake.recipe_refused(9)
    seen = handshake.outputs()
    assert seen.recipe_error
    assert seen.recipe_ready
    assert seen.current_job_id == 1


def test_a_recipe_is_ready_when_the_station_says_that_it_inspects_by_it() -> None:
    handshake = made()
    handshake.write(replace(ENABLED, recipe_request=True, recipe=2), 0)
    handshake.station(True, 1)
    assert not handshake.outputs().trigger_ready
    handshake.station(True, 2)
    assert handshake.outputs().trigger_ready
    assert handshake.outputs().current_job_id == 2


@pytest.mark.parametrize(
    ("state", "evaluation", "disposition", "verdict"),
    [
        (ResultState.COMPLETED, Evaluation.OK, Disposition.PASS, Verdict.PASS),
        (ResultState.COMPLETED, Evaluation.NOT_OK, Disposition.REJECT, Verdict.FAIL),
        (ResultState.COMPLETED, Evaluation.NOT_DECIDABLE, Disposition.REJECT, Verdict.NONE),
        (ResultState.COMPLETED, Evaluation.NOT_DECIDABLE, Disposition.PASS, Verdict.PASS),
        (ResultState.COMPLETED, Evaluation.OK, Disposition.REJECT, Verdict.NONE),
        (ResultState.FAILED, Evaluation.UNDEFINED, Disposition.REJECT, Verdict.NONE),
        (ResultState.FAILED, Evaluation.UNDEFINED, Disposition.PASS, Verdict.NONE),
    ],
)
def test_what_passes(state: ResultState, evaluation: Evaluation, disposition: Disposition, verdict: Verdict) -> None:
    answer = Answer.of(result(result_state=state, result_evaluation=evaluation, disposition=disposition))
    assert answer.verdict is verdict
