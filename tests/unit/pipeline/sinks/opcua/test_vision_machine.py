import msgspec
import pytest

from pipeline.requests import RecipeEntry
from pipeline.result import Disposition, Evaluation, Result, ResultState
from pipeline.sinks.opcua.job import Job
from pipeline.sinks.opcua.signals import Cause, Happened, Kind, NotNow, Shown, Verdict, VisionState
from pipeline.sinks.opcua.vision_machine import BELIEVED_NS, VisionMachine
from pipeline.status import StationState, Status
from tests.results import result

WINDOW = 1000
STATUS = Status(
    "s", 1, StationState.Ready, "", "0", 1, "bracket", "ab", "none", [], [], 0, 0, {}, 0, 0, "2026-01-01T00:00:00Z",
    [RecipeEntry(1, "bracket", selected=True), RecipeEntry(2, "flange", selected=False, fault="not sealed")],
)  # fmt: skip


def status(state: StationState) -> Status:
    return msgspec.structs.replace(STATUS, state=state)


def made(state: StationState = StationState.Ready) -> VisionMachine:
    machine = VisionMachine(WINDOW, "j")
    machine.station(True, status(state), 0)
    machine.happened.clear()
    return machine


def ok(seq: int, key: int | None, **changes: object) -> Result:
    changes = {"part_id": "SN", "trigger_number": None, **changes}
    return result(
        seq=seq, software_trigger=key, result_state=ResultState.COMPLETED, result_evaluation=Evaluation.OK,
        disposition=Disposition.PASS, **changes,
    )  # fmt: skip


def told(machine: VisionMachine, kind: Kind) -> list[Happened]:
    return [each for each in machine.happened if each.kind is kind]


def shown(machine: VisionMachine) -> list[Shown]:
    return [each.shown for each in told(machine, Kind.ResultReady) if each.shown is not None]


def begun(machine: VisionMachine, key: int = 9) -> Job:
    job = machine.begin_job("SN", 0)
    machine.job_triggered(job, key, 0)
    return job


def test_a_single_job_from_start_to_ready() -> None:
    machine = made()
    job = begun(machine)
    assert machine.state is VisionState.SingleExecution
    with pytest.raises(NotNow):
        machine.begin_job("SN-2", 0)
    machine.answer(ok(1, 9), 0, 10)
    assert [(each.job_id, each.verdict, each.cause) for each in shown(machine)] == [("j-1", Verdict.PASS, Cause.none)]
    assert [each.kind for each in machine.happened] == [
        Kind.JobStarted, Kind.StateChanged, Kind.AcquisitionDone, Kind.ResultReady, Kind.StateChanged, Kind.Ready,
    ]  # fmt: skip
    (ready,) = told(machine, Kind.Ready)
    assert (ready.job_id, ready.verdict) == (job.job_id, Verdict.PASS)
    assert machine.state is VisionState.Ready


def test_without_an_answer_in_the_window_there_is_no_verdict_and_a_late_one_gives_none() -> None:
    machine = made()
    begun(machine)
    machine.tick(WINDOW - 1)
    assert machine.state is VisionState.SingleExecution
    machine.tick(WINDOW)
    (error,) = told(machine, Kind.Error)
    assert (error.job_id, error.cause) == ("j-1", Cause.window)
    assert machine.outputs().job_verdict is Verdict.NONE
    machine.answer(ok(1, 9), 0, WINDOW + 1)
    assert [(each.job_id, each.verdict, each.cause) for each in shown(machine)] == [("j-1", Verdict.NONE, Cause.late)]
    assert machine.outputs().job_verdict is Verdict.NONE


def test_an_answer_that_was_stopped_on_its_way_is_late_however_it_comes() -> None:
    machine = made()
    begun(machine)
    machine.answer(ok(1, 9), 0, WINDOW * 5)  # the bridge itself was stopped: no tick came before
    assert [each.verdict for each in shown(machine)] == [Verdict.NONE]


def test_an_answer_may_overtake_the_reply_that_tells_its_number() -> None:
    machine = made()
    job = machine.begin_job("SN", 0)
    machine.answer(ok(1, 8), 0, 1)
    machine.answer(ok(2, 9), 0, 1)
    assert not shown(machine)
    machine.job_triggered(job, 9, 2)
    assert [(each.job_id, each.verdict) for each in shown(machine)] == [("", Verdict.NONE), ("j-1", Verdict.PASS)]


@pytest.mark.parametrize(
    ("changes", "verdict", "cause"),
    [
        ({"part_id": "other"}, Verdict.NONE, Cause.other_part),
        ({"disposition": Disposition.REJECT, "result_evaluation": Evaluation.NOT_OK}, Verdict.FAIL, Cause.none),
        (
            {"disposition": Disposition.REJECT, "result_evaluation": Evaluation.NOT_DECIDABLE},
            Verdict.NONE,
            Cause.station,
        ),
        ({"result_state": ResultState.FAILED}, Verdict.NONE, Cause.station),
    ],
)
def test_only_its_own_ok_passes_a_part(changes: dict[str, object], verdict: Verdict, cause: Cause) -> None:
    machine = made()
    begun(machine)
    machine.answer(msgspec.structs.replace(ok(1, 9), **changes), 0, 1)
    assert [(each.verdict, each.cause) for each in shown(machine)] == [(verdict, cause)]
    assert machine.outputs().job_verdict is verdict


def test_a_job_of_several_parts_ends_with_the_last_and_passes_with_all() -> None:
    for second, whole in ((Disposition.PASS, Verdict.PASS), (Disposition.REJECT, Verdict.NONE)):
        machine = made()
        begun(machine)
        machine.answer(ok(1, 9, part_count=2), 0, 1)
        assert machine.outputs().job_open
        assert machine.outputs().job_verdict is Verdict.NONE
        machine.answer(msgspec.structs.replace(ok(2, 9, part_count=2, part_index=1), disposition=second), 0, 2)
        assert machine.outputs().job_verdict is whole


def test_what_nobody_asked_for_is_shown_without_a_verdict() -> None:
    machine = made()
    machine.answer(ok(1, 9), 0, 1)  # somebody else's trigger
    machine.answer(ok(2, None, trigger_number=4), 0, 1)  # the line's, while the station is stopped
    assert [(each.job_id, each.verdict, each.cause) for each in shown(machine)] == [
        ("", Verdict.NONE, Cause.not_asked)
    ] * 2


def test_continuous_execution_gives_verdicts_while_they_are_fresh() -> None:
    machine = made(StationState.ContinuousExecution)
    machine.answer(ok(1, None), 5, 1)
    machine.answer(ok(2, None), WINDOW + 1, 1)
    assert [(each.verdict, each.cause) for each in shown(machine)] == [
        (Verdict.PASS, Cause.none),
        (Verdict.NONE, Cause.late),
    ]
    assert {each.job_id for each in shown(machine)} == {machine.continuous_job} != {""}
    with pytest.raises(NotNow):
        machine.begin_job("SN", 1)


def test_halt_and_reset_take_every_verdict_away() -> None:
    machine = made(StationState.ContinuousExecution)
    machine.halt("because", 0)
    machine.answer(ok(1, None), 0, 1)
    assert machine.state is VisionState.Halted
    with pytest.raises(NotNow):
        machine.select_mode_automatic(1)
    machine.reset("", 1)
    machine.answer(ok(2, None), 0, 1)
    assert machine.state is VisionState.Preoperational
    assert {each.verdict for each in shown(machine)} == {Verdict.NONE}
    machine.select_mode_automatic(2)
    assert machine.state is VisionState.ContinuousExecution


def test_an_aborted_job_has_no_verdict_whatever_comes() -> None:
    machine = made()
    begun(machine)
    machine.abort("Abort", 1)
    machine.answer(ok(1, 9), 0, 2)
    assert [each.verdict for each in shown(machine)] == [Verdict.NONE]
    assert machine.outputs().job_cause is Cause.aborted
    assert machine.state is VisionState.Ready


def test_a_dead_station_is_an_error_that_ends_when_it_is_heard_again() -> None:
    machine = made()
    machine.station(False, STATUS, 1)
    assert machine.state is VisionState.Error
    assert [each.cause for each in told(machine, Kind.Error)] == [Cause.silent]
    with pytest.raises(NotNow):
        machine.begin_job("SN", 1)
    machine.station(True, STATUS, 2)
    assert machine.state is VisionState.Ready
    assert len(told(machine, Kind.ErrorResolved)) == 1


def test_a_reply_counts_more_than_a_status_of_before_it_but_not_for_ever() -> None:
    machine = made()
    machine.believe(StationState.ContinuousExecution, 0)
    machine.station(True, STATUS, 1)
    assert machine.state is VisionState.ContinuousExecution
    machine.station(True, STATUS, BELIEVED_NS + 1)
    assert machine.state is VisionState.Ready


def test_recipes_are_told_and_none_is_initialized() -> None:
    machine = made()
    machine.station(True, msgspec.structs.replace(STATUS, recipe_id=2, configuration_id="cd"), 1)
    assert [each.recipe for each in told(machine, Kind.RecipePrepared)] == [2]
    assert [(each.number, each.fault) for each in machine.outputs().recipes] == [(1, ""), (2, "not sealed")]
    machine.station(True, msgspec.structs.replace(STATUS, recipe_id=None), 2)
    assert machine.state is VisionState.Initialized
