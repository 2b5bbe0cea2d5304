"""Whether an inspection was reproduced: bit for bit where the same ran, else within what one backend may differ from another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pipeline.defect_parity import DefectDifferences
from pipeline.evidence.run_record import Machine, RunRecipe, RunRecord
from pipeline.qualify import PROBABILITY_LIMIT
from pipeline.recipe import Recipe
from pipeline.replay.difference import Difference, Tolerances, differences
from pipeline.result import Result
from pipeline.segment_thresholds import SegmentThresholds

# What follows from keypoints: told, and judged by the keypoints alone.
FOLLOWS = ("keypoints.xy_mm", "keypoints.sigma_px", "measurements.value", "measurements.sigma", "reasons.value")
FREED = ("defects", "edges.outline")  # defects are judged by their masks, edges by what is measured at them


class Sameness(StrEnum):
    """How two findings of one part compare."""

    identical = "bit for bit"
    within = "within the parity limit"
    other = "not the same"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two findings of one part.

    Attributes:
        differences: every field that is not the same.
        max_px, max_probability: how far any keypoint moved.
    """

    sameness: Sameness
    differences: list[Difference]
    max_px: float
    max_probability: float


def compare(then: Sequence[Result], now: Sequence[Result], recipe: Recipe) -> Comparison:
    """Compare what two backends found by one recipe: no keypoint may move farther than its seal allows, no verdict change."""
    exact = differences(then, now, Tolerances())
    if not exact:
        return Comparison(Sameness.identical, [], 0.0, 0.0)
    by_field = {"keypoints.xy": recipe.limit_px, "views.region": recipe.limit_px}
    by_field |= {"keypoints.visibility": PROBABILITY_LIMIT, **dict.fromkeys(FOLLOWS, math.inf)}
    judged = differences(then, now, Tolerances(by_field))
    if len(then) == len(now):  # defects are judged by their masks
        judged = [_freed(one) if one.field.startswith(FREED) else one for one in judged]
        judged += _defect_faults(then, now, recipe)
    return Comparison(
        Sameness.within if all(one.is_allowed for one in judged) else Sameness.other,
        judged,
        _farthest(judged, "keypoints.xy"),
        _farthest(judged, "keypoints.visibility"),
    )


def other_circumstances(then: RunRecord, by: RunRecipe, now: Machine, runs_on: str, threads: int) -> list[str]:
    """What may have changed the last digits since: a line for each of backend, threads, processor and libraries."""
    found = []
    if by.runs_on != runs_on:
        found.append(f"networks: {by.runs_on} then, {runs_on} now")
    if then.infer.threads != threads:
        found.append(f"threads: {then.infer.threads} then, {threads} now")
    if then.infer.batch > 1:
        found.append(f"up to {then.infer.batch} views went through the networks together then, one by one now")
    if then.machine.processor != now.processor:
        found.append(f"processor: {then.machine.processor} then, {now.processor} now")
    for name, version in then.machine.libraries.items():
        if version != (here := now.libraries.get(name, "none")):
            found.append(f"{name}: {version} then, {here} now")
    return found


def _freed(one: Difference) -> Difference:
    """Told, and judged elsewhere."""
    return replace(one, distance=one.distance or 0.0, tolerance=math.inf)


def _farthest(found: Sequence[Difference], field: str) -> float:
    return max((one.distance for one in found if one.field == field and one.distance is not None), default=0.0)


def _defect_faults(then: Sequence[Result], now: Sequence[Result], recipe: Recipe) -> list[Difference]:
    """Defects are compared by their masks, as when a backend is qualified."""
    found = []
    for one, two in zip(then, now, strict=True):
        for view in recipe.views.values():
            limits = view.segment.thresholds if view.segment is not None else SegmentThresholds()
            before, after = ([defect for defect in result.defects if defect.view == view.name] for result in (one, two))
            if fault := DefectDifferences().add(before, after, limits):
                found.append(Difference("defects", view.name, "found", fault, None, 0.0))
    return found
