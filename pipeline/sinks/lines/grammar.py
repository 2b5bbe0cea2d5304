"""THE line table: every line of the protocol, read and written here; docs/lines.md shows the same table.

A line is printable ASCII, its fields are separated by one space each, and LF ends it (CR LF is taken, too). A part id may have
spaces, so it is always the last field.
"""

import re
from dataclasses import dataclass

from pipeline.sinks.modbus.signals import EVALUATIONS, Inspection

BEGIN, END = "<!-- lines -->", "<!-- end of lines -->"
LONGEST_LINE = 200  # bytes of a line that a controller sends
MEASUREMENTS = 16
LARGEST_VALUE = 1e9
_NUMBER = r"(0|[1-9][0-9]{0,9})"
_TRIGGER = re.compile(rf"TRIGGER {_NUMBER}(?: ([\x20-\x7e]{{0,128}}))?")
_RECIPE = re.compile(rf"RECIPE {_NUMBER}")
_LARGEST_NUMBER = 0xFFFFFFFF
_EVALUATION_NAMES = {number: evaluation.value for evaluation, number in EVALUATIONS.items()}

_TABLE = (
    (
        "controller",
        "TRIGGER NUMBER [ID]",
        "inspect this part. NUMBER is yours, 0 to 4294967295, and names the part in every answer",
    ),
    ("controller", "RECIPE NUMBER", "inspect by this recipe from now on"),
    ("controller", "STATUS", "asks for the line STATUS"),
    (
        "bridge",
        "STATUS READY RECIPE WAITING",
        "READY is 1 where a TRIGGER would be taken up now, else 0; the recipe at work, 0 none; results that are awaited. Sent at "
        "the connection's begin, when READY or RECIPE change, and once a second",
    ),
    ("bridge", "TAKEN NUMBER", "the station has taken the trigger up; its RESULT follows"),
    (
        "bridge",
        "RESULT NUMBER VERDICT CAUSE EVALUATION COUNT [VALUE …] [ID]",
        "exactly one for each TRIGGER. VERDICT is PASS, FAIL or NONE; CAUSE the number why it is NONE, else 0; EVALUATION the "
        "station's (OK, NOT_OK, NOT_DECIDABLE, UNDEFINED; - without an answer); COUNT values follow, four decimals in the unit of "
        "the recipe, - for one that could not be measured; ID is the one of the TRIGGER",
    ),
    ("bridge", "RECIPE NUMBER OK", "this recipe is at work"),
    ("bridge", "RECIPE NUMBER REFUSED", "it cannot be used; the one before is at work"),
    ("bridge", "ERROR TEXT", "the line before was none of these, or the connection ends for the reason in TEXT"),
)


@dataclass(frozen=True, slots=True)
class TriggerLine:
    """`TRIGGER`."""

    number: int
    part_id: str


@dataclass(frozen=True, slots=True)
class RecipeLine:
    """`RECIPE`."""

    number: int


@dataclass(frozen=True, slots=True)
class StatusLine:
    """`STATUS`."""


def read(line: str) -> TriggerLine | RecipeLine | StatusLine:
    """A controller's line, without its end. Raises ValueError where it is none."""
    if line == "STATUS":
        return StatusLine()
    if (match := _TRIGGER.fullmatch(line)) and int(match[1]) <= _LARGEST_NUMBER:
        return TriggerLine(int(match[1]), match[2] or "")
    if (match := _RECIPE.fullmatch(line)) and int(match[1]) <= 0xFFFF:
        return RecipeLine(int(match[1]))
    raise ValueError("no line of this protocol")


def status(is_ready: bool, recipe: int, waiting: int) -> str:
    """How the station is."""
    return f"STATUS {int(is_ready)} {recipe} {waiting}"


def taken(number: int) -> str:
    """The station has taken a trigger up."""
    return f"TAKEN {number}"


def recipe(number: int, good: bool) -> str:
    """What became of a change of recipe."""
    return f"RECIPE {number} {'OK' if good else 'REFUSED'}"


def error(text: str) -> str:
    """What is wrong."""
    return f"ERROR {text}"


def result(inspection: Inspection) -> str:
    """What became of a trigger."""
    values = [_value(each) for each in inspection.values[:MEASUREMENTS]]
    fields = [
        "RESULT",
        str(inspection.asked.trigger_number),
        inspection.verdict.name,
        str(int(inspection.cause)),
        _EVALUATION_NAMES.get(inspection.evaluation, "-"),
        str(len(values)),
        *values,
    ]
    return " ".join([*fields, inspection.asked.part_id] if inspection.asked.part_id else fields)


def _value(value: float | None) -> str:
    return f"{value:.4f}" if value is not None and abs(value) < LARGEST_VALUE else "-"


def page_table() -> str:
    """The table as Markdown, from BEGIN to END."""
    rows = [f"| {who} | `{form}` | {meaning} |" for who, form, meaning in _TABLE]
    return "\n".join([BEGIN, "| sent by | line | meaning |", "|---|---|---|", *rows, END])
