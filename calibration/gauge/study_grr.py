"""A study of repeatability and reproducibility as figures, a sentence and pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.gauge.anova import Grr, grr, of_tolerance
from calibration.gauge.chart import Series, chart
from calibration.gauge.readings import Reading, crossed
from calibration.gauge.study import Study, limits_of, tolerance_of

_FINE, _LIMIT, _LEAST_NDC = 10.0, 30.0, 5  # percent, percent, categories: AIAG MSA 4
_LEAST_SPREAD = 20.0  # percent of the tolerance that six standard deviations of the parts take
_GRADES = {True: "good", None: "may do, depending on what it is for", False: "not good enough"}


def study_grr(readings: Sequence[Reading], tolerance: float | None) -> Study:
    """Parts x loadings x repeats. Raises DataError as `crossed` and `grr`."""
    name, unit = readings[0].measurement, readings[0].unit
    values, parts, loadings = crossed(readings)
    found = grr(values)
    width = tolerance if tolerance is not None else tolerance_of(readings)
    of_total = found.of_total(found.grr)
    shares = [of_total] if width is None else [of_total, of_tolerance(found.grr, width)]
    passed = _judged(max(shares), found.ndc)
    said = f"GRR is {of_total:.2f}% of the total variation"
    if width is not None:
        said += f" and {shares[1]:.2f}% of the tolerance"
    said += f"; {'more' if found.ndc is None else found.ndc} distinct categories: {_GRADES[passed]}"
    if passed is not True and width is not None and of_tolerance(found.pv, width) < _LEAST_SPREAD:
        said += "; the parts hardly differ, so that the gauge cannot show that it tells them apart: take others"
    decimals = _decimals(found.ev, values)
    rows = [("part", "loading", *[str(n + 1) for n in range(values.shape[2])])]
    rows += [
        (part, loading, *[f"{value:.{decimals}f}" for value in values[row, column]])
        for row, part in enumerate(parts)
        for column, loading in enumerate(loadings)
    ]
    by_part = [
        Series(
            f"loading {loading}",
            [row for row in range(len(parts)) for _ in range(values.shape[2])],
            values[:, column].ravel().tolist(),
        )
        for column, loading in enumerate(loadings)
    ]
    means = [
        Series(f"loading {loading}", range(len(parts)), values[:, column].mean(1).tolist(), joined=True)
        for column, loading in enumerate(loadings)
    ]
    limits = limits_of(readings)
    return Study(
        name,
        "GR&R by ANOVA",
        said,
        passed,
        _grr_figures(found, unit, width),
        {"Analysis of variance": _anova(found), "Components": _components(found, unit, width), "Readings": rows},
        [
            chart(
                by_part,
                parts,
                limits if width is not None and _near(readings) else (),
                "Every reading over its part.",
                unit,
            ),
            chart(means, parts, (), "Means of each loading: lines that cross tell of an interaction.", unit),
        ],
    )


def _decimals(sigma: float, values: NDArray[np.float64]) -> int:
    """So many that repeats are told apart, and none that says nothing."""
    fine = sigma or float(np.ptp(values)) or 1.0
    return min(max(1 - math.floor(math.log10(fine)), 0), 12)


def _judged(percent: float, ndc: int | None) -> bool | None:
    """None between good and bad."""
    if percent > _LIMIT or (ndc is not None and ndc < _LEAST_NDC):
        return False
    return True if percent < _FINE else None


def _near(readings: Sequence[Reading]) -> bool:
    """Whether limits belong into a picture: the parts spread over a part of the tolerance that can be seen."""
    seen = [one.value for one in readings]
    width = tolerance_of(readings)
    return width is not None and max(seen) - min(seen) > 0.1 * width


def _grr_figures(found: Grr, unit: str, width: float | None) -> dict[str, float | int | str]:
    figures: dict[str, float | int | str] = {}
    for title, sigma in _parts(found):
        figures[f"{title}, standard deviation {unit}"] = sigma
        figures[f"{title}, % of total"] = found.of_total(sigma)
        if width is not None:
            figures[f"{title}, % of tolerance"] = of_tolerance(sigma, width)
    return figures | {
        "distinct categories": "" if found.ndc is None else found.ndc,
        "interaction pooled": str(found.pooled),
    }


def _parts(found: Grr) -> list[tuple[str, float]]:
    return [
        ("repeatability (EV)", found.ev),
        ("reproducibility (AV)", found.av),
        ("part x loading", found.interaction),
        ("gauge (GRR)", found.grr),
        ("parts (PV)", found.pv),
        ("total (TV)", found.tv),
    ]


def _components(found: Grr, unit: str, width: float | None) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("", f"standard deviation {unit}", "% contribution", "% of total", "% of tolerance")]
    for title, sigma in _parts(found):
        contribution = found.of_total(sigma) ** 2 / 100.0
        of_limits = "" if width is None else f"{of_tolerance(sigma, width):.2f}"
        rows.append((title, f"{sigma:.6g}", f"{contribution:.2f}", f"{found.of_total(sigma):.2f}", of_limits))
    return rows


def _anova(found: Grr) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("", "DF", "SS", "MS", "F", "p")]
    for one in found.sources:
        squares = "" if math.isnan(one.mean_square) else f"{one.mean_square:.6g}"
        ratio = (
            ("", "")
            if one.f is None or one.p is None
            else (
                f"{one.f:.4g}" if one.f < 10_000.0 else f"{one.f:.0f}",
                "below 0.001" if one.p < 0.001 else f"{one.p:.3f}",
            )
        )
        rows.append((one.name, str(one.degrees), f"{one.squares:.6g}", squares, *ratio))
    return rows
