"""Tolerances from good parts: what their measurements were, and which limits would hold them."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pipeline.result import Evaluation, Result, ResultState

LEAST_PARTS = 5
DIGITS = 3  # of a tolerance; its nominal has as many decimals
ONE_SIDED = {"position": "diameter", "perpendicularity": "width"}
NOT_TAUGHT = ("presence", "pitch")  # there or not; the worst of several is no one distance


class Taught(msgspec.Struct, frozen=True):
    """One measurement over `parts` good parts; `proposed` are the keys of its table as they would be, None with too few parts."""

    name: str
    unit: str
    parts: int
    mean: float
    sigma: float
    smallest: float
    largest: float
    present: dict[str, Any]
    proposed: dict[str, float] | None


def good_parts(results: Sequence[Result], recipe: int, configuration: str) -> list[Result]:
    """Those that were OK by this recipe as it is."""
    return [
        result
        for result in results
        if result.result_state is ResultState.COMPLETED
        and result.result_evaluation is Evaluation.OK
        and result.purpose
        in ("production", "setup")  # a master, or a part of a study, is the same part again and again
        and (result.recipe_id, result.configuration_id) == (recipe, configuration)
    ]


def teach(results: Sequence[Result], measures: Mapping[str, Mapping[str, Any]], sigmas: float) -> list[Taught]:
    """What the measurements of good parts say, for each that was measured on two parts at least.

    Args:
        results: of good parts.
        measures: the recipe's table `measure`.
        sigmas: how many standard deviations about the mean are to pass.
    """
    values: dict[str, list[float]] = {}
    units: dict[str, str] = {}
    for result in results:
        for one in result.measurements:
            if one.value is not None and math.isfinite(one.value) and one.name in measures:
                values.setdefault(one.name, []).append(one.value)
                units[one.name] = one.unit
    return [
        _taught(name, units[name], found, measures[name], sigmas) for name, found in values.items() if len(found) > 1
    ]


def _taught(name: str, unit: str, values: list[float], measure: Mapping[str, Any], sigmas: float) -> Taught:
    mean, sigma = statistics.fmean(values), statistics.stdev(values)
    kind = next((key for key in (*ONE_SIDED, *NOT_TAUGHT) if key in measure), "")
    limit = ONE_SIDED.get(kind)
    keys = (limit,) if limit else ("nominal", "tolerance")
    proposed = None
    if len(values) >= LEAST_PARTS and kind not in NOT_TAUGHT and sigma > 0:
        tolerance = _rounded_up(mean + sigmas * sigma if limit else sigmas * sigma)
        decimals = max(0, DIGITS - 1 - math.floor(math.log10(tolerance)))
        proposed = {limit: tolerance} if limit else {"nominal": round(mean, decimals), "tolerance": tolerance}
    return Taught(
        name,
        unit,
        len(values),
        mean,
        sigma,
        min(values),
        max(values),
        {key: measure[key] for key in keys if key in measure},
        proposed,
    )


def _rounded_up(value: float) -> float:
    step = 10.0 ** (math.floor(math.log10(value)) - DIGITS + 1)
    return float(f"{math.ceil(value / step) * step:.{DIGITS}g}")
