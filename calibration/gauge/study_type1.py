"""A type-1 study as figures, a sentence and a picture."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.gauge.chart import Rule, Series, chart
from calibration.gauge.readings import Reading
from calibration.gauge.study import Study, known, or_blank, taken, tolerance_width
from calibration.gauge.type1 import CAPABLE, RECOMMENDED, SHARE, type1
from pipeline.errors import DataError


def study_type1(readings: Sequence[Reading], reference: float | None, tolerance: float | None) -> Study:
    """One part of known size. Raises DataError as `type1`, and where size or tolerance are not known."""
    name, unit, values = taken(readings)
    if len({one.part for one in readings}) > 1:
        raise DataError("there are several parts", where=name, allowed="readings of one part; --part NAME")
    size = known("--reference", name, reference, readings[0].reference)
    width = tolerance_width(name, readings, tolerance)
    found = type1(values, size, width)
    said = f"Cg {found.cg:.2f}, Cgk {found.cgk:.2f}: {'capable' if found.is_capable else 'not capable'} ({CAPABLE} is asked for)"
    if found.count < RECOMMENDED:
        said += f"; {found.count} readings, {RECOMMENDED} are usual"
    half = SHARE / 2 * width
    rules = [
        Rule("reference", size),
        Rule(f"+{SHARE / 2:.0%} of T", size + half),
        Rule(f"-{SHARE / 2:.0%} of T", size - half),
    ]
    return Study(
        name,
        "type 1",
        said,
        found.is_capable,
        {
            "readings": found.count,
            f"reference {unit}": size,
            f"tolerance {unit}": width,
            f"mean {unit}": found.mean,
            f"standard deviation {unit}": found.sigma,
            f"bias {unit}": found.bias,
            f"bias, 95% from {unit}": found.bias_low,
            f"bias, 95% to {unit}": found.bias_high,
            "t of bias": or_blank(found.t),
            "p of bias": or_blank(found.p),
            "Cg": found.cg,
            "Cgk": found.cgk,
        },
        charts=[
            chart(
                [Series("", range(len(values)), values, joined=True)],
                [str(n + 1) for n in range(len(values))],
                rules,
                "Readings in their order.",
                unit,
            )
        ],
    )
