"""The fields of a result as clients see it: in the event ResultReady, as variables of the latest one, and by GetResultById."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from pipeline import result as result_schema
from pipeline.result import Evaluation, Measurement, ResultState
from pipeline.sinks.opcua.signals import Shown, Verdict

NO_TRIGGER = -1
_STATES = {ResultState.COMPLETED: 1, ResultState.FAILED: 4}  # ResultStateDataType of OPC 40100-1
_EVALUATIONS = {Evaluation.UNDEFINED: 0, Evaluation.OK: 1, Evaluation.NOT_OK: 2, Evaluation.NOT_DECIDABLE: 3}
NEVER = datetime(1601, 1, 1, tzinfo=UTC)  # OPC UA's null

From = TypeVar("From")


@dataclass(frozen=True, slots=True)
class Field(Generic[From]):
    """A value: its name, its built-in type (`String[]`: an array), what it means, and how it is had."""

    name: str
    kind: str
    meaning: str
    get: Callable[[From], object]


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return NEVER


def _each(get: Callable[[Measurement], object]) -> Callable[[Shown], list[object]]:
    return lambda shown: [get(measurement) for measurement in shown.result.measurements]


def _number(value: float | None) -> float:
    return math.nan if value is None else value


RESULT: tuple[Field[Shown], ...] = (
    Field("ResultId", "String", "names the result for ever", lambda s: s.result.result_id),
    Field("JobId", "String", "the job that asked for it; empty where none did", lambda s: s.job_id),
    Field("PartId", "String", "as it was told at the trigger", lambda s: s.result.part_id),
    Field("Pass", "Boolean", "let the part pass. Nothing else says so", lambda s: s.verdict is Verdict.PASS),
    Field(
        "Fail",
        "Boolean",
        "the part has a fault. Both false: no verdict, so reject",
        lambda s: s.verdict is Verdict.FAIL,
    ),
    Field("Cause", "Int32", "why there is no verdict, as Cause", lambda s: int(s.cause)),
    Field(
        "TriggerNumber",
        "Int64",
        f"the line's count, {NO_TRIGGER} where it has none",
        lambda s: NO_TRIGGER if s.result.trigger_number is None else s.result.trigger_number,
    ),
    Field("PartIndex", "Int32", "which of the parts at this trigger, from 0", lambda s: s.result.part_index),
    Field("PartCount", "Int32", "parts at this trigger", lambda s: s.result.part_count),
    Field("Session", "Int64", "of the station's ledger", lambda s: s.result.session),
    Field("Sequence", "Int64", "counts on by 1 within a session: a gap is a missed result", lambda s: s.result.seq),
    Field(
        "ResultState",
        "Int32",
        "1 Completed, 4 Failed: no answer could be formed",
        lambda s: _STATES[s.result.result_state],
    ),
    Field(
        "ResultEvaluation",
        "Int32",
        "1 OK, 2 NotOK, 3 NotDecidable, 0 Undefined",
        lambda s: _EVALUATIONS[s.result.result_evaluation],
    ),
    Field(
        "Reasons",
        "String[]",
        "codes, as `pin_span.high`",
        lambda s: [f"{each.name}.{each.code}" if each.name else each.code for each in s.result.reasons],
    ),
    Field("ProductId", "String", "name of the recipe", lambda s: s.result.product_id),
    Field("InternalRecipeId", "Int32", "number of the recipe", lambda s: s.result.recipe_id),
    Field("InternalConfigurationId", "String", "names its exact files", lambda s: s.result.configuration_id),
    Field("IsSimulated", "Boolean", "no real camera", lambda s: s.result.is_simulated),
    Field("CreationTime", "DateTime", "UTC", lambda s: _time(s.result.creation_time)),
    Field("MeasurementNames", "String[]", "in the order of the recipe", _each(lambda m: m.name)),
    Field("MeasurementValues", "Double[]", "NaN where it could not be measured", _each(lambda m: _number(m.value))),
    Field("MeasurementUnits", "String[]", "such as mm", _each(lambda m: m.unit)),
    Field("MeasurementEvaluations", "Int32[]", "as ResultEvaluation", _each(lambda m: _EVALUATIONS[m.evaluation])),
    Field(
        "ResultContent",
        "String",
        "the whole result as JSON (docs/wire-format.md)",
        lambda s: result_schema.encode(s.result).decode(),
    ),
)
