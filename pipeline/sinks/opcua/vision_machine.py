"""A station as a machine vision system after OPC 40100-1: a pure state machine without sockets and clock.

What the station says is mirrored; what clients have asked lies over it: one single job at a time, Halted and Preoperational as
Halt and Reset leave it. No part passes without its own OK: a result is shown with PASS only where a job of this machine asked
for it, or the station executes continuously, and in time. All else is shown without a verdict, which means reject.
"""

from collections import deque

from pipeline.result import Result
from pipeline.sinks.opcua.job import Job
from pipeline.sinks.opcua.signals import (
    Cause,
    Happened,
    Kind,
    NotNow,
    Outputs,
    Recipe,
    Shown,
    Verdict,
    VisionState,
    verdict_of,
)
from pipeline.status import StationState, Status

JOBS_KEPT = 16  # ended jobs whose late answers are known as theirs
BELIEVED_NS = 2_500_000_000  # how long the reply to a command counts more than a status, which may be of before
UNHEARD = "the station is not heard"
_MIRRORED = {
    StationState.Preoperational: VisionState.Preoperational,
    StationState.Initialized: VisionState.Initialized,
    StationState.Ready: VisionState.Ready,
    StationState.SingleExecution: VisionState.Ready,  # somebody's; the machine knows its own job
    StationState.ContinuousExecution: VisionState.ContinuousExecution,
    StationState.Error: VisionState.Error,
    StationState.Halted: VisionState.Error,  # the daemon ends, though nobody has called Halt
}


class VisionMachine:
    """Call `tick` often: it ends the window. What has happened lies in `happened`, oldest first, until it is taken away.

    Args:
        window_ns: from a job's start to the latest answer that counts; a line's answer may be as old when it is heard.
        jobs: what the ids of this machine's jobs begin with; no two machines' should be the same.
    """

    def __init__(self, window_ns: int, jobs: str) -> None:
        self.happened: deque[Happened] = deque()
        self.state = VisionState.Error
        self._window_ns, self._jobs, self._job_number = window_ns, jobs, 0
        self._heard = False
        self._status: Status | None = None
        self._believed: tuple[StationState, int] | None = None
        self._configuration: tuple[int | None, str] | None = None
        self._halted = self._reset = False
        self._job: Job | None = None
        self._job_untold = False
        self._ended: deque[Job] = deque(maxlen=JOBS_KEPT)
        self._early: list[tuple[Result, int]] = []
        self._continuous = ""
        self._latest: Shown | None = None
        self._error, self._error_text = Cause.none, ""
        self.passed = self.failed = self.undecided = self.late = self.lost = 0

    def station(self, heard: bool, status: Status | None, now_ns: int) -> None:
        """Whether the station is heard at this moment, and its newest status."""
        self._heard, self._status = heard, status
        if status is not None:
            configuration = status.recipe_id, status.configuration_id
            if status.recipe_id is not None and configuration != self._configuration:
                text = f"recipe {status.recipe_id} {status.product_id}"
                self._tell(Happened(Kind.RecipePrepared, recipe=status.recipe_id, text=text))
            self._configuration = configuration
        self.tick(now_ns)

    def tick(self, now_ns: int) -> None:
        """Time goes on: a job's window ends."""
        job = self._job
        if job is not None and job.is_open and now_ns - job.since_ns >= self._window_ns:
            self._end_without(job, Cause.window, "no answer within the window")
        self._settle(now_ns)

    def begin_job(self, part_id: str, now_ns: int) -> Job:
        """StartSingleJob: the job whose trigger is to be asked for now. Raises NotNow."""
        self.need(now_ns, VisionState.Ready)
        self._job = job = Job(self._next_id(), part_id, now_ns)
        self._job_untold = True
        self._tell(Happened(Kind.JobStarted, job.job_id, part_id))
        self._settle(now_ns)
        return job

    def job_triggered(self, job: Job, key: int, now_ns: int) -> None:
        """The station has taken the job's trigger up; its answer will carry `key`."""
        self.tick(now_ns)
        job.key = key  # also where it has ended: a late answer is known as its own
        self._release_early()
        self._settle(now_ns)

    def job_refused(self, job: Job, cause: Cause, text: str, now_ns: int) -> None:
        """The station does not inspect, or nobody knows whether it does."""
        self._end_without(job, cause, text)
        self.tick(now_ns)

    def need(self, now_ns: int, *states: VisionState) -> None:
        """Raises NotNow where the state is none of these."""
        self.tick(now_ns)
        if self.state not in states:
            raise NotNow(f"the state is {self.state.name}, not {' or '.join(state.name for state in states)}")

    def believe(self, state: StationState, now_ns: int) -> None:
        """The station has replied that it is in this state now; its next status will say so, too."""
        self._believed = state, now_ns + BELIEVED_NS
        self.tick(now_ns)

    def abort(self, text: str, now_ns: int) -> None:
        """Abort: an open job ends without a verdict."""
        if self._job is not None and self._job.is_open:
            self._end_without(self._job, Cause.aborted, text)
        self.tick(now_ns)

    def halt(self, text: str, now_ns: int) -> None:
        """Halt: nothing has a verdict any more until Reset."""
        self._halted = True
        self.abort(text, now_ns)

    def reset(self, text: str, now_ns: int) -> None:
        """Reset: back to Preoperational, until SelectModeAutomatic."""
        self._halted, self._reset = False, True
        self.abort(text, now_ns)

    def select_mode_automatic(self, now_ns: int) -> None:
        """SelectModeAutomatic: mirror the station again. Raises NotNow."""
        self.need(now_ns, VisionState.Preoperational)
        self._reset = False
        self.tick(now_ns)

    def failed_to(self, cause: Cause, text: str) -> None:
        """The station has not done what it was asked for."""
        self._fail(cause, text)

    def gap(self, count: int, text: str) -> None:
        """So many results are known to be missed."""
        self.lost += count
        self._fail(Cause.lost, text)

    def answer(self, result: Result, age_ns: int, now_ns: int) -> None:
        """A result of the stream, each once, `age_ns` after it was answered."""
        self.tick(now_ns)
        self._early.append((result, age_ns))
        self._release_early()
        self._settle(now_ns)

    def _release_early(self) -> None:
        """Show what has come, but not while the key of a job is unknown: an answer may overtake the reply that tells it."""
        while self._early and not (self._job is not None and self._job.is_open and self._job.key is None):
            self._show(self._judged(*self._early.pop(0)))

    def _judged(self, result: Result, age_ns: int) -> Shown:
        number = result.software_trigger
        if number is not None:
            job = self._job
            if job is not None and job.is_open and job.key == number:
                shown = job.take(result)
                if job.has_ended:
                    self._ended.append(job)
                return shown
            former = next((each for each in self._ended if each.key == number), None)
            if former is not None:
                return Shown(result, former.job_id, Verdict.NONE, Cause.late)
        if number is not None or self.state is not VisionState.ContinuousExecution:
            return Shown(result, "", Verdict.NONE, Cause.not_asked)
        if age_ns > self._window_ns:
            return Shown(result, self._continuous, Verdict.NONE, Cause.late)
        verdict = verdict_of(result)
        return Shown(result, self._continuous, verdict, Cause.station if verdict is Verdict.NONE else Cause.none)

    def _show(self, shown: Shown) -> None:
        self._latest = shown
        self.passed += shown.verdict is Verdict.PASS
        self.failed += shown.verdict is Verdict.FAIL
        self.undecided += shown.verdict is Verdict.NONE
        self.late += shown.cause is Cause.late
        result = shown.result
        if result.part_index == 0 and result.views:
            self._tell(Happened(Kind.AcquisitionDone, shown.job_id, result.part_id, shown=shown))
        self._tell(Happened(Kind.ResultReady, shown.job_id, result.part_id, shown.verdict, shown.cause, shown=shown))

    def _end_without(self, job: Job, cause: Cause, text: str) -> None:
        if job.is_open:
            job.end(Verdict.NONE, cause)
            self._ended.append(job)
            self._fail(cause, text, job)
            self._release_early()

    def _fail(self, cause: Cause, text: str, job: Job | None = None) -> None:
        self._error, self._error_text = cause, text
        job_id, part_id = ("", "") if job is None else (job.job_id, job.part_id)
        self._tell(Happened(Kind.Error, job_id, part_id, cause=cause, text=text))

    def _tell(self, happened: Happened) -> None:
        self.happened.append(happened)

    def _next_id(self) -> str:
        self._job_number += 1
        return f"{self._jobs}-{self._job_number}"

    def _settle(self, now_ns: int) -> None:
        """Go where the station and the clients have led, and tell of it."""
        before, after = self.state, self._state(now_ns)
        if after is before:
            return
        self.state = after
        self._tell(Happened(Kind.StateChanged, before=before, after=after))
        if before is VisionState.Error:
            self._tell(Happened(Kind.ErrorResolved, text=self._error_text))
        if after is VisionState.Error:
            silent = not self._heard or self._status is None
            cause = Cause.silent if silent else Cause.station_error
            self._fail(cause, UNHEARD if silent or self._status is None else self._status.text)
        self._continuous = ""
        if after is VisionState.ContinuousExecution:
            self._continuous = self._next_id()
            self._tell(Happened(Kind.JobStarted, self._continuous))
        elif after is VisionState.Ready:
            self._tell_ready()

    def _tell_ready(self) -> None:
        """Ready again; after a job with its verdict."""
        job = self._job if self._job_untold else None
        self._job_untold = False
        if job is None:
            self._tell(Happened(Kind.Ready))
        else:
            self._tell(Happened(Kind.Ready, job.job_id, job.part_id, job.verdict, job.cause))

    def _state(self, now_ns: int) -> VisionState:
        if self._halted:
            return VisionState.Halted
        if not self._heard or self._status is None:
            return VisionState.Error
        if self._reset:
            return VisionState.Preoperational
        mirrored = _MIRRORED[self._station_state(self._status, now_ns)]
        if mirrored in (VisionState.Ready, VisionState.ContinuousExecution):
            if self._job is not None and self._job.is_open:
                return VisionState.SingleExecution
            if self._status.recipe_id is None:
                return VisionState.Initialized
        return mirrored

    def _station_state(self, status: Status, now_ns: int) -> StationState:
        if self._believed is not None and (status.state is self._believed[0] or now_ns >= self._believed[1]):
            self._believed = None
        return status.state if self._believed is None else self._believed[0]

    @property
    def continuous_job(self) -> str:
        """The id of the job that goes on until Stop, "" where there is none."""
        return self._continuous

    def outputs(self) -> Outputs:
        """What the variables show."""
        status, job = self._status, self._job
        recipes = () if status is None else tuple(Recipe(each.number, each.name, each.fault) for each in status.recipes)
        return Outputs(
            state=self.state,
            online=self._heard,
            station="" if status is None else status.station,
            version="" if status is None else status.version,
            text="" if status is None else status.text,
            error=self._error,
            error_text=self._error_text,
            recipe=-1 if status is None or status.recipe_id is None else status.recipe_id,
            recipes=recipes,
            job_id="" if job is None else job.job_id,
            job_part_id="" if job is None else job.part_id,
            job_open=job is not None and job.is_open,
            job_verdict=Verdict.NONE if job is None else job.verdict,
            job_cause=Cause.none if job is None else job.cause,
            counts=(self.passed, self.failed, self.undecided, self.late, self.lost),
            latest=self._latest,
        )
