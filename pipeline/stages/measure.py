"""Quantities of the part from its visible keypoints, each against its limits."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.geometry import Points
from pipeline.recipe_file import DatumSettings, MeasureSettings, RecipeFile
from pipeline.result import Evaluation, KeypointState, Measurement
from pipeline.stages.values import Measured, ViewFindings

_TINY_PX = 1e-6  # closer points give no direction


@dataclass(frozen=True, slots=True)
class _Plan:
    """One measurement with its names resolved and its limits worked out."""

    name: str
    view: str
    settings: MeasureSettings
    needed: tuple[str, ...]
    datum: DatumSettings | None
    mm_per_px: float
    unit: str
    nominal: float | None
    lower: float | None
    upper: float | None


class Measure:
    """All measurements of a recipe. No guard band: a calibration that states an uncertainty does not exist yet."""

    def __init__(self, recipe: RecipeFile) -> None:
        """For the measurements that `recipe` names."""
        self._plans = [_plan(recipe, name, settings) for name, settings in recipe.measure.items()]

    def __call__(self, views: Mapping[str, ViewFindings]) -> tuple[Measured, ...]:
        """Measure one part. A view that is missing or whose picture is bad leaves its measurements UNDEFINED."""
        return tuple(_measured(plan, views.get(plan.view)) for plan in self._plans)

    def of_view(self, findings: ViewFindings) -> tuple[Measured, ...]:
        """Only what is measured in the view of these findings."""
        return tuple(_measured(plan, findings) for plan in self._plans if plan.view == findings.view)


def _plan(recipe: RecipeFile, name: str, settings: MeasureSettings) -> _Plan:
    view = recipe.view_of(settings)
    scale = recipe.view[view].scale_mm_per_px
    length_unit = "px" if scale is None else "mm"
    nominal, lower, upper = _limits(settings)
    return _Plan(
        name=name,
        view=view,
        settings=settings,
        needed=recipe.needed(settings),
        datum=recipe.datum.get(settings.datum or ""),
        mm_per_px=scale or 1.0,
        unit="deg" if settings.angle else length_unit,
        nominal=nominal,
        lower=lower,
        upper=upper,
    )


def _limits(settings: MeasureSettings) -> tuple[float | None, float | None, float | None]:
    """Nominal, lower and upper limit of the value that is reported."""
    if isinstance(settings.nominal, tuple):
        return 0.0, None, settings.diameter  # of a position: the diameter about its nominal place
    if settings.nominal is None or settings.tolerance is None:
        return settings.nominal, None, None
    tolerance = settings.tolerance
    below, above = tolerance if isinstance(tolerance, tuple) else (-tolerance, tolerance)
    return settings.nominal, settings.nominal + below, settings.nominal + above


def _measured(plan: _Plan, findings: ViewFindings | None) -> Measured:
    if findings is None or findings.image_reasons:
        return Measured(_measurement(plan, None, Evaluation.UNDEFINED))
    known = {keypoint.name: keypoint for keypoint in findings.keypoints}
    lacking = tuple(known[name] for name in plan.needed if known[name].state is not KeypointState.visible)
    if lacking:
        return Measured(_measurement(plan, None, Evaluation.NOT_DECIDABLE), lacking)
    xy = {name: np.array([known[name].x, known[name].y], np.float64) for name in plan.needed}
    value = _value(plan, xy)
    if value is None or not math.isfinite(value):  # an overflow would compare as within any limit
        return Measured(_measurement(plan, None, Evaluation.NOT_DECIDABLE))
    low = plan.lower is not None and value < plan.lower
    high = plan.upper is not None and value > plan.upper
    return Measured(_measurement(plan, value, Evaluation.NOT_OK if low or high else Evaluation.OK))


def _measurement(plan: _Plan, value: float | None, evaluation: Evaluation) -> Measurement:
    return Measurement(
        name=plan.name,
        value=value,
        unit=plan.unit,
        nominal=plan.nominal,
        lower=plan.lower,
        upper=plan.upper,
        evaluation=evaluation,
        view=plan.view,
    )


def _value(plan: _Plan, xy: Mapping[str, Points]) -> float | None:
    """The quantity; None where its keypoints lie too close together to define it. xy are sensor px."""
    settings = plan.settings
    axes = np.eye(2)  # rows: x and y axis
    origin = np.zeros(2)
    if plan.datum is not None:
        origin = xy[plan.datum.origin]
        along = direction(origin, xy[plan.datum.x_axis])
        if along is None:
            return None
        axes = np.array([along, [-along[1], along[0]]])
    if settings.position is not None:
        place = axes @ (xy[settings.position] - origin) * plan.mm_per_px
        return 2.0 * math.dist(place, np.asarray(settings.nominal))
    if settings.angle is not None:
        along = direction(xy[settings.angle[0]], xy[settings.angle[1]])
        return None if along is None else _angle_deg(axes @ along, plan.nominal or 0.0)
    length_px = _distance_px(settings, xy)
    return None if length_px is None else length_px * plan.mm_per_px


def _distance_px(settings: MeasureSettings, xy: Mapping[str, Points]) -> float | None:
    ends = settings.distance or ()
    point, *others = [end for end in ends if isinstance(end, str)]
    if others:
        return math.dist(xy[point], xy[others[0]])
    start, end = next(line for line in ends if isinstance(line, tuple))
    along = direction(xy[start], xy[end])
    if along is None:
        return None
    across = xy[point] - xy[start]
    return abs(float(along[0] * across[1] - along[1] * across[0]))


def direction(start: Points, end: Points) -> Points | None:
    """From one point to another, of length 1; None where they lie too close together to give one."""
    length = math.dist(start, end)
    return None if length < _TINY_PX else (end - start) / length


def _angle_deg(along: Points, nominal: float) -> float:
    """From the x axis to the y axis, of the turns that come out the same the one nearest to nominal."""
    angle = math.degrees(math.atan2(along[1], along[0]))
    return nominal + math.remainder(angle - nominal, 360.0)
