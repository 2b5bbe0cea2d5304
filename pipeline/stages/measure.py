"""Quantities of the part from its visible keypoints and its edges, each with its uncertainty, against its limits."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.planes import ViewPlane, planes_of
from pipeline.recipe_file import RecipeFile
from pipeline.recipe_measure import LENGTHS, DatumSettings, MeasureSettings
from pipeline.result import Evaluation, Keypoint, KeypointState, Measurement
from pipeline.stages.guard import decide
from pipeline.stages.quantities import Shapes, quantity
from pipeline.stages.shapes import PartShapes, part_shapes
from pipeline.stages.values import FoundEdge, Measured, ViewFindings

_STEP = 1e-5  # of a shape's distance from the others, to see how a quantity follows it


@dataclass(frozen=True, slots=True)
class _Plan:
    """One measurement with its names resolved and its limits worked out.

    Attributes:
        keypoints: needed, those that place its edges included.
        features: keypoints and edges that its value is made from.
    """

    name: str
    view: str
    settings: MeasureSettings
    keypoints: tuple[str, ...]
    features: tuple[str, ...]
    datum: DatumSettings | None
    unit: str
    nominal: float | None
    lower: float | None
    upper: float | None


class Measure:
    """All measurements of a recipe.

    A measurement states its uncertainty, and is judged with a guard band, where the plane of its view states one and all
    that it is made from has one: edges always have, keypoints where their sigmas are calibrated.
    """

    def __init__(self, recipe: RecipeFile, planes: Mapping[str, ViewPlane] | None = None) -> None:
        """For the measurements that `recipe` names, in the planes of its views; by default those that its scales give."""
        self._guard, self._planes = recipe.guard, planes_of(recipe) if planes is None else planes
        self._plans = [_plan(recipe, name, settings, self._planes) for name, settings in recipe.measure.items()]

    def __call__(self, views: Mapping[str, ViewFindings]) -> tuple[Measured, ...]:
        """Measure one part. A view that is missing or whose picture is bad leaves its measurements UNDEFINED."""
        shapes = {view: self._shapes(findings) for view, findings in views.items()}
        return tuple(self._measured(plan, views.get(plan.view), shapes.get(plan.view)) for plan in self._plans)

    def of_view(self, findings: ViewFindings) -> tuple[Measured, ...]:
        """Only what is measured in the view of these findings."""
        shapes = self._shapes(findings)
        return tuple(self._measured(plan, findings, shapes) for plan in self._plans if plan.view == findings.view)

    def _shapes(self, findings: ViewFindings) -> PartShapes | None:
        plane = self._planes[findings.view].map
        is_measured = not findings.image_reasons and any(plan.view == findings.view for plan in self._plans)
        if not is_measured or plane is None:
            return None
        with np.errstate(all="ignore"):  # a place beyond all numbers is none
            return part_shapes(findings, plane)

    def _measured(self, plan: _Plan, findings: ViewFindings | None, shapes: PartShapes | None) -> Measured:
        if findings is not None and not findings.image_reasons and self._planes[plan.view].map is None:
            return Measured(_measurement(plan, None, Evaluation.NOT_DECIDABLE), has_no_plane=True)
        if findings is None or shapes is None:
            return Measured(_measurement(plan, None, Evaluation.UNDEFINED))
        keypoints = {keypoint.name: keypoint for keypoint in findings.keypoints}
        edges = {edge.name: edge for edge in findings.edges}
        if plan.settings.presence is not None:
            return _presence(plan, keypoints, edges)
        lacking = tuple(
            keypoints[name] for name in plan.keypoints if keypoints[name].state is not KeypointState.visible
        )
        lost = tuple(name for name in plan.features if name in edges and not edges[name].shape)
        if lacking or lost:
            return Measured(_measurement(plan, None, Evaluation.NOT_DECIDABLE), lacking, () if lacking else lost)
        value, sigma = _value(plan, shapes)
        if not math.isfinite(value):  # an overflow would compare as within any limit
            return Measured(_measurement(plan, None, Evaluation.NOT_DECIDABLE))
        guard = 0.0 if sigma is None else self._guard * sigma
        return Measured(_measurement(plan, value, decide(value, plan.lower, plan.upper, guard), sigma))


def _plan(recipe: RecipeFile, name: str, settings: MeasureSettings, planes: Mapping[str, ViewPlane]) -> _Plan:
    view = recipe.view_of(settings)
    nominal, lower, upper = _limits(settings)
    return _Plan(
        name=name,
        view=view,
        settings=settings,
        keypoints=recipe.needed(settings),
        features=recipe.features(settings),
        datum=recipe.datum.get(settings.datum or ""),
        unit=_unit(settings, planes[view].unit),
        nominal=nominal,
        lower=lower,
        upper=upper,
    )


def _unit(settings: MeasureSettings, length: str) -> str:
    """As UCUM writes it."""
    if settings.kind in LENGTHS:
        return length
    return {"area": f"{length}2", "angle": "deg"}.get(settings.kind, "")


def _limits(settings: MeasureSettings) -> tuple[float | None, float | None, float | None]:
    """Nominal, lower and upper limit of the value that is reported."""
    if isinstance(settings.nominal, tuple):
        return 0.0, None, settings.diameter  # of a position: the diameter about its nominal place
    if settings.perpendicularity is not None:
        return 0.0, None, settings.width
    if settings.presence is not None:
        is_wanted = settings.nominal != 0.0
        return (1.0, 1.0, None) if is_wanted else (0.0, None, 0.0)
    if settings.nominal is None or settings.tolerance is None:
        return settings.nominal, None, None
    tolerance = settings.tolerance
    below, above = tolerance if isinstance(tolerance, tuple) else (-tolerance, tolerance)
    return settings.nominal, settings.nominal + below, settings.nominal + above


def _presence(plan: _Plan, keypoints: Mapping[str, Keypoint], edges: Mapping[str, FoundEdge]) -> Measured:
    """Of a keypoint: as it is seen. Of an edge: whether it was found where its keypoints, if they are visible, say."""
    edge = edges.get(plan.settings.presence or "")
    doubtful = [KeypointState.unsure] if edge is None else [KeypointState.unsure, KeypointState.hidden]
    lacking = tuple(keypoints[name] for name in plan.keypoints if keypoints[name].state in doubtful)
    if lacking:
        return Measured(_measurement(plan, None, Evaluation.NOT_DECIDABLE), lacking)
    is_there = bool(edge.shape) if edge else keypoints[plan.settings.presence or ""].state is KeypointState.visible
    value = float(is_there)
    return Measured(_measurement(plan, value, decide(value, plan.lower, plan.upper, 0.0)))


def _measurement(plan: _Plan, value: float | None, evaluation: Evaluation, sigma: float | None = None) -> Measurement:
    return Measurement(
        name=plan.name,
        value=value,
        unit=plan.unit,
        nominal=plan.nominal,
        lower=plan.lower,
        upper=plan.upper,
        evaluation=evaluation,
        view=plan.view,
        sigma=sigma,
    )


def _value(plan: _Plan, shapes: PartShapes) -> tuple[float, float | None]:
    """The quantity, nan where it is not defined, and its standard uncertainty, None where something has none.

    To first order (JCGM 100): how the quantity follows each of the numbers that it is made from, by central differences,
    and their joint covariance.
    """
    values, covariance, spans = shapes.of(plan.features)

    def of(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return quantity(plan.settings, plan.datum, Shapes({name: rows[:, span] for name, span in spans.items()}))

    with np.errstate(all="ignore"):
        if not np.isfinite(covariance).all():
            return float(of(values[None])[0]), None
        step = _STEP * max(float(np.ptp(values)), 1e-6)
        moves = step * np.eye(len(values))
        found = of(np.concatenate([values[None], values + moves, values - moves]))
        value = float(found[0])
        gradient = (found[1 : len(values) + 1] - found[len(values) + 1 :]) / (2.0 * step)
        variance = float(gradient @ covariance @ gradient)
    if not math.isfinite(variance):  # beside it the quantity is not defined: how sure it is nobody can say
        return math.nan, None
    return value, math.sqrt(variance) if variance > 0.0 else None
