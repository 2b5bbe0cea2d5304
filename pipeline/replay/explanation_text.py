"""A verdict that was opened again, as lines for people."""

from collections.abc import Iterator, Sequence

from pipeline.clock import iso_utc
from pipeline.replay.attempt import Attempt
from pipeline.replay.difference import Difference
from pipeline.replay.explanation import Explanation
from pipeline.result import Measurement, Result
from pipeline.result_text import measured, printable, reason_text

MOST_DIFFERENCES = 30
MOST_AUDITS = 20
Row = tuple[str, str]  # what it is about, and what is said of it


def explanation_text(told: Explanation) -> str:
    """Several lines: the result, what decided it, whether it came out again, and what would be decided now."""
    lines = [f"{about:14} {words}".rstrip() for about, words in summary(told)]
    if table := list(measurement_rows(told)):
        widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
        lines += ["", *("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)]
    for title, differences in difference_lists(told):
        lines += ["", f"{title}:", *(f"  {line}" for line in difference_lines(differences))]
    if told.changes:
        lines += ["", "the recipe since:", *(f"  {line}" for line in told.changes)]
    if told.audits:
        lines += ["", "changed at the station since:", *(f"  {line}" for line in audit_lines(told))]
    return "\n".join(printable(line).rstrip() for line in lines)


def summary(told: Explanation) -> Iterator[Row]:
    """What is to be known first."""
    asked = told.asked
    part = f", part {asked.part_index + 1} of {asked.part_count}" if asked.part_count > 1 else ""
    trigger = "none" if asked.trigger_number is None else str(asked.trigger_number)
    yield "result", f"{asked.result_id} of station {asked.station}, trigger {trigger}{part} {asked.part_id}".rstrip()
    yield "answered", f"{asked.answered_time}, found in {told.found.source}"
    if told.found.doubt:
        yield "DOUBT", told.found.doubt
    yield "verdict", _verdict(asked)
    for view, path in told.found.images.items():
        yield f"image {view}", str(path)
    if "part" in told.faults:
        yield "image", told.faults["part"]
    yield "recipe", _recipe(told)
    yield "ran on", _ran_on(told)
    yield "again", told.again.headline if told.again else f"not tried: {_why_not(told)}"
    if told.again and told.again.circumstances:
        yield "otherwise now", "; ".join(told.again.circumstances)
    if told.now is not None:
        recipe = told.now.recipe
        yield "now", f"{_verdict(told.now.results[0])}, by recipe {recipe.name} {recipe.configuration_id}"
    elif "now" in told.faults:
        yield "now", told.faults["now"]
    elif told.recipe is not None:
        yield "now", "the recipe is as it was" if told.recipe.configuration_id else ""


def measurement_rows(told: Explanation) -> Iterator[tuple[str, ...]]:
    """A table: every measured quantity as it was, again and now, with the limits of then; its heading first."""
    attempts = [("again", told.again), ("now", told.now)]
    columns = [(name, _measured(attempt, told.asked)) for name, attempt in attempts if attempt is not None]
    if not told.asked.measurements and not any(found for _, found in columns):
        return
    yield ("measurement", "then", *(name for name, _ in columns), "limits", "verdict")
    then = {one.name: one for one in told.asked.measurements}
    for name in dict.fromkeys([*then, *(name for _, found in columns for name in found)]):
        shown = then.get(name)
        last = shown or next(found[name] for _, found in columns if name in found)
        limits = f"{_number(last.lower)} .. {_number(last.upper)} {last.unit}"
        values = [_value(found.get(name)) for _, found in columns]
        yield (name, _value(shown), *values, limits, "" if shown is None else shown.evaluation.value)


def difference_lists(told: Explanation) -> Iterator[tuple[str, Sequence[Difference]]]:
    """What is otherwise than published, of each attempt that is."""
    if told.again is not None and told.again.comparison.differences:
        yield "otherwise than published, by the recipe of that day", told.again.comparison.differences
    if told.now is not None and told.now.comparison.differences:
        yield "otherwise than published, by the recipe of now", told.now.comparison.differences


def difference_lines(found: Sequence[Difference]) -> list[str]:
    """A line each; what is text before what is a number."""
    ordered = sorted(found, key=lambda one: one.distance is not None)
    lines = [one.text() for one in ordered[:MOST_DIFFERENCES]]
    return lines + ([f"and {len(found) - MOST_DIFFERENCES} more"] if len(found) > MOST_DIFFERENCES else [])


def audit_lines(told: Explanation) -> list[str]:
    """The newest of what was changed at the station since."""
    lines = [
        f"{iso_utc(one.utc_ns)}  {one.peer}  {one.what}: {one.before} -> {one.after}"
        for one in told.audits[-MOST_AUDITS:]
    ]
    more = len(told.audits) - MOST_AUDITS
    return [f"({more} earlier ones)", *lines] if more > 0 else lines


def _verdict(result: Result) -> str:
    words = ", ".join(reason_text(reason) for reason in result.reasons) or measured(result)
    return f"{result.result_evaluation.value} {result.disposition.value}" + (f": {words}" if words else "")


def _recipe(told: Explanation) -> str:
    asked = told.asked
    named = f"{asked.product_id or '-'} ({asked.recipe_id}), configuration {asked.configuration_id or '-'}"
    return f"{named}: {told.faults['recipe']}" if told.recipe is None else named


def _ran_on(told: Explanation) -> str:
    if told.run is None:
        return "nobody wrote it down"
    record, recipe = told.run
    libraries = ", ".join(f"{name} {version}" for name, version in record.machine.libraries.items())
    threads = f"{record.infer.threads} thread" + ("s" if record.infer.threads > 1 else "")
    return f"{recipe.runs_on}, {threads}; {record.machine.processor}; {libraries}"


def _why_not(told: Explanation) -> str:
    return next((told.faults[key] for key in ("again", "part", "recipe") if key in told.faults), "nothing to try")


def _measured(attempt: Attempt, asked: Result) -> dict[str, Measurement]:
    """Of the same part; of none where other parts are found."""
    if len(attempt.results) != asked.part_count:
        return {}
    return {one.name: one for one in attempt.results[asked.part_index].measurements}


def _value(one: Measurement | None) -> str:
    return "-" if one is None or one.value is None else f"{one.value:.6g}"


def _number(limit: float | None) -> str:
    return "" if limit is None else f"{limit:g}"
