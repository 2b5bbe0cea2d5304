"""A study of capability as figures, a sentence and a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from calibration.gauge.capability import capability
from calibration.gauge.chart import Rule, Series, chart
from calibration.gauge.readings import Reading
from calibration.gauge.study import Study, or_blank, taken
from calibration.gauge.type1 import CAPABLE


def study_capability(readings: Sequence[Reading], lower: float | None, upper: float | None) -> Study:
    """Single parts against their limits. Raises DataError as `capability`."""
    name, unit, values = taken(readings)
    low = lower if lower is not None else readings[0].lower
    high = upper if upper is not None else readings[0].upper
    found = capability(values, low, high)
    said = f"Cpk {found.cpk:.2f} (95%: {found.cpk_low:.2f} to {found.cpk_high:.2f}), {found.count} parts"
    rules = [Rule(title, limit) for title, limit in (("lower", low), ("upper", high)) if limit is not None]
    return Study(
        name,
        "capability",
        said,
        found.cpk_low >= CAPABLE if math.isfinite(found.cpk) else None,
        {
            "parts": found.count,
            f"mean {unit}": found.mean,
            f"standard deviation {unit}": found.sigma,
            f"least {unit}": found.least,
            f"greatest {unit}": found.greatest,
            f"lower {unit}": or_blank(low),
            f"upper {unit}": or_blank(high),
            "Cp": or_blank(found.cp),
            "Cpk": found.cpk,
            "Cpk, 95% from": found.cpk_low,
            "Cpk, 95% to": found.cpk_high,
        },
        charts=[
            chart(
                [Series("", range(len(values)), values, joined=True)],
                [str(n + 1) for n in range(len(values))],
                rules,
                "Parts in their order.",
                unit,
            )
        ],
    )
