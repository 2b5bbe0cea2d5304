"""The node table as the tables of docs/opcua.md."""

from collections.abc import Iterable

from pipeline.sinks.opcua.nodes import EVENTS, LATEST, METHODS, VARIABLES
from pipeline.sinks.opcua.result_fields import RESULT
from pipeline.sinks.opcua.signals import Cause, Kind, VisionState

BEGIN, END = "<!-- nodes -->", "<!-- end of nodes -->"
_STATES = {
    VisionState.Preoperational: "recipes are loaded, or Reset was called; SelectModeAutomatic leads on from the latter",
    VisionState.Halted: "Halt was called; Reset leads on",
    VisionState.Error: "the station is not heard, or says that it is in error; left by itself",
    VisionState.Initialized: "cameras are connected, or no recipe is at work",
    VisionState.Ready: "a job may be started; the line's own triggers are answered `stopped`",
    VisionState.SingleExecution: "a single job is open",
    VisionState.ContinuousExecution: "each trigger of the line is inspected; a daemon that starts is in this state",
}
_CAUSES = {
    Cause.none: "none",
    Cause.window: "no valid answer within the window",
    Cause.refused: "the station refused what it was asked",
    Cause.no_reply: "the station did not reply: whether it has triggered is not known",
    Cause.other_part: "the answer names another part than partId",
    Cause.station: "the station could form no answer, or cannot decide",
    Cause.aborted: "Abort, Halt or Reset came before the answer",
    Cause.late: "the answer is older than the window",
    Cause.not_asked: "no job of this bridge asked for it, and the state is not ContinuousExecution",
    Cause.silent: "the station is not heard",
    Cause.station_error: "the station says that it is in error",
    Cause.lost: "results that the station's journal has no more",
}


def page_tables() -> str:
    """Markdown, from BEGIN to END."""
    lines = [BEGIN, "### States", "", *_table(("number", "state", "meaning"), _states())]
    for parent, fields in VARIABLES:
        rows = ((field.name, field.kind, field.meaning) for field in fields)
        lines += [f"### Variables of `{parent}`", "", *_table(("name", "type", "meaning"), rows)]
    rows = ((field.name, field.kind, field.meaning) for field in RESULT)
    lines += [f"### A result: variables of `{LATEST}`", "", *_table(("name", "type", "meaning"), rows)]
    lines += ["### Methods", "", *_table(("method", "in", "out", "meaning"), _methods())]
    lines += ["### Events", "", *_table(("event", "fields", "meaning"), _events())]
    lines += ["### Cause", "", *_table(("number", "meaning"), ((cause.value, _CAUSES[cause]) for cause in Cause))]
    return "\n".join([*lines, END])


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(str(each) for each in line)} |" for line in lines] + [""]


def _states() -> Iterable[tuple[object, ...]]:
    return ((state.value, state.name, _STATES[state]) for state in VisionState)


def _methods() -> Iterable[tuple[object, ...]]:
    for method in METHODS:
        inputs = ", ".join(f"{each.name} {each.kind}" for each in method.inputs)
        outputs = ", ".join(f"{each.name} {each.kind}" for each in method.outputs)
        if len(method.outputs) == len(RESULT):
            outputs = "all of a result"
        where = method.parent.rpartition(".")[2]
        yield f"{where}.{method.name}", inputs, outputs, method.meaning


def _events() -> Iterable[tuple[object, ...]]:
    for kind, (meaning, fields) in EVENTS.items():
        names = "all of a result" if kind is Kind.ResultReady else ", ".join(field.name for field in fields)
        yield f"`{kind}`", names, meaning
