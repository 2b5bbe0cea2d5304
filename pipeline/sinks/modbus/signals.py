"""What passes between the PLC, the handshake and the station, as plain values."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from pipeline.result import Disposition, Evaluation, Result, ResultState


class Verdict(IntEnum):
    """Of one inspection; the bits Pass and Fail, which are both 0 for NONE."""

    NONE = 0
    PASS = 1
    FAIL = 2


class Cause(IntEnum):
    """Why there is no verdict, or what the bit Error is about."""

    none = 0
    window = 1  # no valid answer within the window
    refused = 2  # the station refused the trigger
    no_reply = 3  # the station did not reply; nobody knows whether it has triggered
    other_part = 4  # the answer names another part than the PLC did
    station = 5  # the station answered that no answer could be formed, or that it cannot decide
    early_trigger = 6  # Trigger rose while TriggerReady was 0
    number_twice = 7  # two open triggers have the same number
    overrun = 8  # an inspection was dropped, as eight wait
    recipe_refused = 9  # the station cannot inspect by this recipe
    plc_silent = 10  # the PLC's heartbeat stood still


EVALUATIONS = {Evaluation.OK: 1, Evaluation.NOT_OK: 2, Evaluation.NOT_DECIDABLE: 3, Evaluation.UNDEFINED: 4}


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the PLC writes."""

    trigger_enable: bool = False
    trigger: bool = False
    results_ack: bool = False
    recipe_request: bool = False
    error_reset: bool = False
    heartbeat: int = 0
    recipe: int = 0
    trigger_number: int = 0
    encoder: int = 0
    gate: int = 0
    part_id: str = ""


@dataclass(frozen=True, slots=True)
class Take:
    """Ask the station to inspect: by a software trigger, or by telling the part id of the line's."""

    acquisition: int
    trigger_number: int
    part_id: str


@dataclass(frozen=True, slots=True)
class SelectRecipe:
    """Ask the station to inspect by this recipe."""

    number: int


Action = Take | SelectRecipe


@dataclass(frozen=True, slots=True)
class Answer:
    """What the handshake needs of one result. `place` is (session, seq)."""

    place: tuple[int, int]
    software_trigger: int | None
    trigger_number: int | None
    part_index: int
    part_count: int
    part_id: str
    verdict: Verdict
    evaluation: int
    values: tuple[float | None, ...] = ()

    @classmethod
    def of(cls, result: Result) -> Self:
        """A result. It passes only where an answer was formed, and the station's rule lets the part pass."""
        verdict = Verdict.NONE
        if result.result_state is ResultState.COMPLETED:
            if result.disposition is Disposition.PASS:
                verdict = Verdict.PASS
            elif result.result_evaluation is Evaluation.NOT_OK:
                verdict = Verdict.FAIL
        return cls(
            (result.session, result.seq),
            result.software_trigger,
            result.trigger_number,
            result.part_index,
            result.part_count,
            result.part_id,
            verdict,
            EVALUATIONS[result.result_evaluation],
            tuple(measurement.value for measurement in result.measurements),
        )


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the PLC is shown of one trigger. `is_answered`: the station gave an answer, so the pictures are taken."""

    number: int
    asked: Inputs
    verdict: Verdict
    cause: Cause
    evaluation: int = 0
    values: tuple[float | None, ...] = ()
    is_answered: bool = False

    @classmethod
    def without(cls, number: int, asked: Inputs, cause: Cause) -> Self:
        """No verdict."""
        return cls(number, asked, Verdict.NONE, cause)

    @classmethod
    def of(cls, number: int, asked: Inputs, answers: Iterable[Answer]) -> Self:
        """Of all parts that were found at the trigger: it passes where each passes, and fails where one fails."""
        parts = sorted(answers, key=lambda each: each.part_index)
        verdicts = {each.verdict for each in parts}
        evaluation = max((each.evaluation for each in parts), default=0)
        values = tuple(value for each in parts for value in each.values)
        if any(each.part_id != asked.part_id for each in parts if asked.part_id):
            return cls(number, asked, Verdict.NONE, Cause.other_part, is_answered=True)
        if verdicts == {Verdict.PASS}:
            return cls(number, asked, Verdict.PASS, Cause.none, evaluation, values, is_answered=True)
        if Verdict.FAIL in verdicts:
            return cls(
                number, asked, Verdict.FAIL, Cause.none, EVALUATIONS[Evaluation.NOT_OK], values, is_answered=True
            )
        return cls(number, asked, Verdict.NONE, Cause.station, evaluation, values, is_answered=True)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the PLC reads. `belt`: trigger number, encoder count at the gate, verdict of the newest parts, oldest first."""

    trigger_ready: bool
    trigger_ack: bool
    exposure_complete: bool
    results_valid: bool
    results_buffer_overrun: bool
    inspection_completed: bool
    missed_acq: bool
    error: bool
    online: bool
    recipe_active: bool
    recipe_ready: bool
    recipe_error: bool
    error_code: int
    current_job_id: int
    acquisition_id: int
    waiting: int
    plc_heartbeat: int
    counts: tuple[int, int, int, int, int, int]
    shown: Inspection | None
    belt: tuple[tuple[int, int, Verdict], ...]
