"""A study of one measurement, and what its readings tell of themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from calibration.gauge.chart import Rule
from calibration.gauge.readings import Reading
from pipeline.errors import DataError


@dataclass(frozen=True)
class Study:
    """One measurement's.

    Attributes:
        passed: what the sentence says of it; None where there is no rule for it.
        figures: names and values, with their unit in the name; they are the lines of the CSV.
        tables: each with its heading row first.
        charts: SVG.
    """

    measurement: str
    kind: str
    verdict: str
    passed: bool | None
    figures: Mapping[str, float | int | str]
    tables: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    charts: Sequence[str] = ()


def taken(readings: Sequence[Reading]) -> tuple[str, str, list[float]]:
    """Name, unit and the values that there are."""
    return readings[0].measurement, readings[0].unit, [one.value for one in readings if math.isfinite(one.value)]


def known(option: str, name: str, given: float | None, written: float | None) -> float:
    """The true size: as given, else as written with the reading. Raises DataError where neither says it."""
    value = given if given is not None else written
    if value is None:
        raise DataError("the true size is not known", where=name, allowed=f"{option}, or the column reference")
    return value


def tolerance_width(name: str, readings: Sequence[Reading], given: float | None) -> float:
    """As given, else as the limits have it. Raises DataError where neither says it."""
    width = given if given is not None else tolerance_of(readings)
    if width is None:
        raise DataError(
            "the tolerance is not known", where=name, allowed="--tolerance WIDTH, or columns lower and upper"
        )
    return width


def tolerance_of(readings: Sequence[Reading]) -> float | None:
    """The width between the limits; None where there are not both."""
    lower, upper = readings[0].lower, readings[0].upper
    return None if lower is None or upper is None else upper - lower


def limits_of(readings: Sequence[Reading]) -> list[Rule]:
    """The limits that there are, for a picture."""
    first = readings[0]
    return [Rule(name, value) for name, value in (("lower", first.lower), ("upper", first.upper)) if value is not None]


def or_blank(value: float | None) -> float | str:
    """For a table: nothing where there is no value."""
    return "" if value is None else value
