"""What passes between clients, the vision machine and the station, as plain values."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from pipeline.result import Disposition, Evaluation, Result, ResultState


class VisionState(IntEnum):
    """States with their numbers in OPC 40100-1, tables 82 and 97. Operational (4) is the state above those from 5 on."""

    Preoperational = 1
    Halted = 2
    Error = 3
    Initialized = 5
    Ready = 6
    SingleExecution = 7
    ContinuousExecution = 8


OPERATIONAL = 4


class Verdict(IntEnum):
    """What a client may do with a part: pass it by PASS alone."""

    NONE = 0
    PASS = 1
    FAIL = 2


class Cause(IntEnum):
    """Why there is no verdict, or what an error is about. Below 0, as OPC 40100-1 wants it of an application's own codes."""

    none = 0
    window = -1  # no valid answer within the window
    refused = -2  # the station refused what it was asked
    no_reply = -3  # the station did not reply; nobody knows whether it has carried it out
    other_part = -4  # the answer names another part than the client did
    station = -5  # the station answered that no answer could be formed, or that it cannot decide
    aborted = -6  # Abort, Halt or Reset came before the answer
    late = -7  # the answer is older than the window
    not_asked = -8  # no job asked for it
    silent = -9  # the station is not heard
    station_error = -10  # the station says that it is in error
    lost = -11  # results that the station's journal has no more


class Kind(StrEnum):
    """Events, named as in OPC 40100-1."""

    StateChanged = "StateChangedEventType"
    RecipePrepared = "RecipePreparedEventType"
    JobStarted = "JobStartedEventType"
    Ready = "ReadyEventType"
    AcquisitionDone = "AcquisitionDoneEventType"
    ResultReady = "ResultReadyEventType"
    Error = "ErrorEventType"
    ErrorResolved = "ErrorResolvedEventType"


class NotNow(Exception):  # noqa: N818 - names what happened
    """The machine is in no state in which this can be asked of it."""


def verdict_of(result: Result) -> Verdict:
    """What the station says: a part passes only where an answer was formed and the station's rule lets it pass."""
    if result.result_state is ResultState.COMPLETED:
        if result.disposition is Disposition.PASS:
            return Verdict.PASS
        if result.result_evaluation is Evaluation.NOT_OK:
            return Verdict.FAIL
    return Verdict.NONE


@dataclass(frozen=True, slots=True)
class Shown:
    """A result as clients see it: with the verdict that may be acted upon, and why there is none."""

    result: Result
    job_id: str
    verdict: Verdict
    cause: Cause

    @property
    def place(self) -> tuple[int, int]:
        """Session and number."""
        return self.result.session, self.result.seq


@dataclass(frozen=True, slots=True)
class Happened:
    """An event. What its kind does not tell is left as it is here."""

    kind: Kind
    job_id: str = ""
    part_id: str = ""
    verdict: Verdict = Verdict.NONE
    cause: Cause = Cause.none
    text: str = ""
    before: VisionState = VisionState.Preoperational
    after: VisionState = VisionState.Preoperational
    recipe: int = 0
    shown: Shown | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe of the station; `fault` says why it cannot be prepared."""

    number: int
    name: str
    fault: str


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the variables show. `job_*` are the newest single job's; `counts`: passed, failed, no verdict, late, lost."""

    state: VisionState
    online: bool
    station: str
    version: str
    text: str
    error: Cause
    error_text: str
    recipe: int
    recipes: tuple[Recipe, ...]
    job_id: str
    job_part_id: str
    job_open: bool
    job_verdict: Verdict
    job_cause: Cause
    counts: tuple[int, int, int, int, int]
    latest: Shown | None
