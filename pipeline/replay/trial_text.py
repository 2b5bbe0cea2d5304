"""What became of many parts that were inspected again, as tables for people."""

import math
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from pipeline.replay.trial import Flip, Quantity, Spread, Trial
from pipeline.result import Result
from pipeline.result_text import printable, reason_text

MOST_FLIPS_TOLD = 20
COLUMNS = ("measurement", "", "parts", "min", "mean", "max", "sigma", "Cpk", "limits")


def trial_text(trial: Trial) -> str:
    """Tables of measurements and of verdicts, the first parts that flip, and what could not be inspected."""
    lines = table_lines(list(spread_rows(trial)))
    lines += ["", *table_lines(list(verdict_rows(trial)))] if trial.verdicts else []
    if trial.flips:
        lines += ["", "another verdict now:"]
        lines += [f"  {flip_line(flip)}" for flip in trial.flips[:MOST_FLIPS_TOLD]]
        more = trial.flipped + trial.other_parts - min(len(trial.flips), MOST_FLIPS_TOLD)
        lines += [f"  and {more} more"] if more else []
    if trial.faults:
        lines += ["", "not inspected:", *(f"  {fault}" for fault in trial.faults)]
        lines += [f"  and {trial.faulty - len(trial.faults)} more"] if trial.faulty > len(trial.faults) else []
    return "\n".join(printable(line).rstrip() for line in [*lines, "", *notes(trial)])


def notes(trial: Trial) -> Iterator[str]:
    """What the tables do not say, a line each."""
    same = sum(trial.verdicts.values()) - trial.unlike
    yield (
        f"{trial.inspected} trigger(s) inspected, {sum(trial.verdicts.values())} part(s) compared: {trial.flipped} with "
        f"another verdict; in {same} the same was found to the last digit, and no keypoint moved by more than "
        f"{trial.moved_px:.3g} px"
    )
    if trial.without_inspection:
        yield f"{trial.without_inspection} trigger(s) had been answered without an inspection: they count as measured now alone"
    if trial.other_parts:
        yield f"{trial.other_parts} trigger(s) show another number of parts now"
    if trial.other_recipe:
        yield f"{trial.other_recipe} trigger(s) of another recipe were left alone"
    if trial.other_purpose:
        yield f"{trial.other_purpose} trigger(s) of masters, gauge studies and set-up are not counted"
    if other := [name for name, one in trial.quantities.items() if one.other_unit]:
        yield f"{', '.join(other)}: measured in another unit then; was the calibration of the camera not kept?"
    if trial.quantities:
        yield "An archive holds every bad part and a sample of the good ones: Cpk is that of the archive, not of the line."


def spread_rows(trial: Trial) -> Iterator[tuple[str, ...]]:
    """A heading, then two rows for each measurement: as it was published, and now; both against the limits of now."""
    yield COLUMNS
    for name, quantity in trial.quantities.items():
        yield (name, "then", *_spread(quantity.then, quantity), _limits(quantity))
        yield (
            "",
            "now",
            *_spread(quantity.now, quantity),
            f"moved {quantity.farthest:.3g}" if quantity.farthest else "",
        )


def verdict_rows(trial: Trial) -> Iterator[tuple[str, ...]]:
    """A heading, then how many parts went from which verdict to which."""
    yield ("then", "now", "parts", "")
    for (then, now), count in sorted(trial.verdicts.items(), key=lambda pair: (pair[0][0] == pair[0][1], pair[0])):
        yield (then, now, str(count), "" if then == now else "flips")


def figures(trial: Trial) -> dict[str, object]:
    """The same for programs; what is no number is null."""

    def spread(of: Spread, quantity: Quantity) -> dict[str, float | None]:
        found = {"parts": of.count, "min": of.least, "mean": of.mean, "max": of.most, "sigma": of.sigma}
        found["cpk"] = of.cpk(quantity.lower, quantity.upper)
        return {name: value if math.isfinite(value) else None for name, value in found.items()}

    measurements = {
        name: {
            "unit": one.unit,
            "lower": one.lower,
            "upper": one.upper,
            "then": spread(one.then, one),
            "now": spread(one.now, one),
            "farthest": one.farthest,
        }
        for name, one in trial.quantities.items()
    }
    verdicts = [{"then": then, "now": now, "parts": count} for (then, now), count in sorted(trial.verdicts.items())]
    flips = [{"part": one.name, "then": verdict_text(one.then), "now": verdict_text(one.now)} for one in trial.flips]
    return {
        "triggers_inspected": trial.inspected,
        "parts_flipped": trial.flipped,
        "triggers_with_other_parts": trial.other_parts,
        "triggers_not_inspected": trial.faulty,
        "triggers_of_other_recipes": trial.other_recipe,
        "moved_px": trial.moved_px,
        "measurements": measurements,
        "verdicts": verdicts,
        "flips": flips,
    }


def flip_line(flip: Flip) -> str:
    """A part with its verdicts and why."""
    return f"{flip.name}  {verdict_text(flip.then)}  ->  {verdict_text(flip.now)}"


def verdict_text(result: Result) -> str:
    """The verdict with its reasons."""
    reasons = ", ".join(reason_text(reason) for reason in result.reasons)
    return f"{result.result_evaluation.value}{f' ({reasons})' if reasons else ''}"


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of one width each; numbers to the right."""
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    return [
        "  ".join(
            cell.rjust(width) if _is_number(cell) else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        )
        for row in rows
    ]


def _spread(spread: Spread, quantity: Quantity) -> tuple[str, ...]:
    if not spread.count:
        return ("0", "-", "-", "-", "-", "-")
    values = [f"{value:.6g}" for value in (spread.least, spread.mean, spread.most)]
    rest = (f"{spread.sigma:.3g}", f"{spread.cpk(quantity.lower, quantity.upper):.2f}")
    return (str(spread.count), *values, *("-" if text == "nan" else text for text in rest))


def _limits(quantity: Quantity) -> str:
    low, high = ("" if limit is None else f"{limit:g}" for limit in (quantity.lower, quantity.upper))
    return f"{low} .. {high} {quantity.unit}".strip()


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or (cell[:1] == "-" and (len(cell) == 1 or cell[1].isdigit()))
