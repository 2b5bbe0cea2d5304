"""Whatever comes in whatever order: no result is shown with Pass but by its own OK, asked for, and in time."""

import contextlib

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.result import Disposition, Evaluation, ResultState
from pipeline.sinks.opcua.job import Job
from pipeline.sinks.opcua.signals import Kind, NotNow, Verdict, VisionState
from pipeline.sinks.opcua.vision_machine import VisionMachine
from pipeline.status import StationState, Status
from tests.results import result

WINDOW = 10
STATUS = Status("s", 1, StationState.Ready, "", "0", 1, "p", "ab", "none", [], [], 0, 0, {}, 0, 0, "")
PARTS = st.sampled_from(["", "A", "B"])
ANSWERS = st.tuples(st.none() | st.integers(1, 4), PARTS, st.booleans(), st.integers(0, 20))
STEPS = st.one_of(
    st.tuples(st.just("begin"), PARTS),
    st.tuples(st.just("key"), st.integers(1, 4)),
    st.tuples(st.just("answer"), ANSWERS),
    st.tuples(st.just("state"), st.sampled_from(list(StationState))),
    st.tuples(st.just("heard"), st.booleans()),
    st.tuples(st.sampled_from(["abort", "halt", "reset", "select", "refuse"]), st.none()),
    st.tuples(st.just("pass time"), st.integers(1, 12)),
)


class Play:
    def __init__(self) -> None:
        self.machine = VisionMachine(WINDOW, "j")
        self.now, self.seq, self.heard, self.status = 0, 0, True, STATUS
        self.job: Job | None = None
        self.began = 0
        self.machine.station(True, STATUS, 0)

    def step(self, what: str, value: object) -> None:
        machine, now = self.machine, self.now
        match what, value:
            case "begin", str(part_id):
                self.job, self.began = machine.begin_job(part_id, now), now
            case "key", int(key) if self.job is not None and self.job.key is None:
                machine.job_triggered(self.job, key, now)
            case "refuse", None if self.job is not None:
                machine.job_refused(self.job, machine.outputs().job_cause, "", now)
            case "answer", (key, part_id, is_ok, age):
                self.answer(key, part_id, is_ok, age)
            case "state", StationState() as state:
                self.status = msgspec.structs.replace(STATUS, state=state)
                machine.station(self.heard, self.status, now)
            case "heard", bool(heard):
                self.heard = heard
                machine.station(heard, self.status, now)
            case "pass time", int(time):
                self.now += time
            case "abort" | "halt" | "reset" as method, None:
                getattr(machine, method)("", now)
            case "select", None:
                machine.select_mode_automatic(now)

    def answer(self, key: int | None, part_id: str, is_ok: bool, age: int) -> None:
        self.seq += 1
        disposition = Disposition.PASS if is_ok else Disposition.REJECT
        made = result(
            seq=self.seq, software_trigger=key, trigger_number=None if key else 7, part_id=part_id,
            result_state=ResultState.COMPLETED, result_evaluation=Evaluation.OK, disposition=disposition,
        )  # fmt: skip
        self.machine.answer(made, age, self.now)
        if key is None and is_ok and age <= WINDOW and self.machine.state is VisionState.ContinuousExecution:
            newest = self.machine.outputs().latest
            assert newest is not None
            assert newest.verdict is Verdict.PASS

    def check(self) -> None:
        """What was shown with Pass in this step."""
        while self.machine.happened:
            happened = self.machine.happened.popleft()
            if happened.kind is not Kind.ResultReady or happened.verdict is not Verdict.PASS:
                continue
            assert happened.shown is not None
            made = happened.shown.result
            assert made.disposition is Disposition.PASS
            assert happened.job_id != ""
            if made.software_trigger is None:
                assert self.heard
                assert self.machine.state is VisionState.ContinuousExecution
            else:
                job = self.job
                assert job is not None
                assert (happened.job_id, made.software_trigger) == (job.job_id, job.key)
                assert job.part_id in ("", made.part_id)
                assert self.now - self.began < WINDOW


@given(st.lists(STEPS, max_size=40))
@settings(max_examples=120)
def test_no_part_passes_without_its_own_ok(steps: list[tuple[str, object]]) -> None:
    play = Play()
    for what, value in steps:
        with contextlib.suppress(NotNow):
            play.step(what, value)
        play.check()
