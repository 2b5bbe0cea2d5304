"""A study of bias over size as figures, a sentence and a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from calibration.gauge.chart import Rule, Series, chart
from calibration.gauge.linearity import linearity
from calibration.gauge.readings import Reading
from calibration.gauge.study import Study, known, or_blank, taken


def study_linearity(readings: Sequence[Reading]) -> Study:
    """Parts of known size. Raises DataError as `linearity`."""
    name, unit, values = taken(readings)
    references = [known("column reference", name, None, one.reference) for one in readings if math.isfinite(one.value)]
    found = linearity(references, values)
    said = f"bias = {found.intercept:.6g} {found.slope:+.6g} x size; " + (
        "neither differs from 0 at 5%" if found.is_linear else "it changes with the size, or is not 0, at 5%"
    )
    sizes = [one.reference for one in found.parts]
    labels = [f"{size:g}" for size in sizes]
    biases = [value - size for value, size in zip(values, references, strict=True)]
    places = [sizes.index(size) for size in references]
    return Study(
        name,
        "linearity",
        said,
        found.is_linear,
        {
            "readings": len(values),
            "slope": found.slope,
            f"intercept {unit}": found.intercept,
            f"residual standard deviation {unit}": found.residual,
            "R squared": found.r_squared,
            "t of slope": or_blank(found.slope_t),
            "p of slope": or_blank(found.slope_p),
            "t of intercept": or_blank(found.intercept_t),
            "p of intercept": or_blank(found.intercept_p),
            f"mean bias {unit}": found.bias,
        },
        {
            "Bias of each size": [
                ("size", "readings", "bias"),
                *[(f"{one.reference:g}", str(one.count), f"{one.bias:.6g}") for one in found.parts],
            ]
        },
        [
            chart(
                [
                    Series("readings", places, biases),
                    Series(
                        "line", range(len(sizes)), [found.intercept + found.slope * size for size in sizes], joined=True
                    ),
                ],
                labels,
                [Rule("no bias", 0.0)],
                "Bias over size.",
                unit,
            )
        ],
    )
