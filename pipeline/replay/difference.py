"""Two results of one part, field by field: what differs, by how much, and whether that is allowed."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.result import Defect, Keypoint, Measurement, Reason, Result, View

Value = float | str | tuple[float, ...] | None
Key = tuple[str, str]  # the field, and of what it is: keypoints.xy, top/a

# Fields whose numbers may differ by a tolerance; pairs and boxes by how far they lie apart.
NUMBERS = {
    "views.region": "px, of corner and size together",
    "keypoints.xy": "px on the sensor",
    "keypoints.xy_mm": "mm",
    "keypoints.visibility": "a probability",
    "keypoints.sigma_px": "px",
    "measurements.value": "in the measurement's unit",
    "measurements.sigma": "in the measurement's unit",
    "measurements.nominal": "in the measurement's unit",
    "measurements.lower": "in the measurement's unit",
    "measurements.upper": "in the measurement's unit",
    "reasons.value": "in the reason's unit",
    "reasons.limit": "in the reason's unit",
    "defects.area_px": "px2",
    "defects.area_mm2": "mm2",
    "defects.score": "0 to 1",
    "defects.box": "px, of corner and size together",
    "defects.peak": "px, and the heatmap's value",
    "edges.outline": "px, of all points together",
}
TEXTS = (
    *("part_count", "result_state", "result_evaluation", "disposition", "reasons", "keypoints", "keypoints.state"),
    *(
        "measurements",
        "measurements.unit",
        "measurements.evaluation",
        "defects",
        "defects.mask",
        "defects.zones",
        "edges",
    ),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not the same.

    Attributes:
        field: as in NUMBERS or TEXTS.
        of: which keypoint, measurement, reason, defect or view; "" for the part.
        then, now: None where one of both has no such thing.
        distance: how far numbers lie apart, None for what is no number, or is there only once.
        tolerance: how far they may.
    """

    field: str
    of: str
    then: Value
    now: Value
    distance: float | None
    tolerance: float

    @property
    def is_allowed(self) -> bool:
        """Whether it lies within its tolerance."""
        return self.distance is not None and self.distance <= self.tolerance

    def text(self) -> str:
        """One line."""
        apart = "" if self.distance is None else f"  by {self.distance:.6g}"
        allowed = f" (allowed {self.tolerance:g})" if self.distance is not None and self.tolerance else ""
        if self.tolerance == math.inf:  # judged by what it comes from
            allowed = " (follows)"
        name = f"{self.field} {self.of}" if self.of else self.field
        return f"{name}: {value_text(self.then)} -> {value_text(self.now)}{apart}{allowed}"


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far numbers may differ, by field; what is not named not at all."""

    by_field: Mapping[str, float] = field(default_factory=dict)

    def of(self, name: str) -> float:
        """That of one field."""
        return self.by_field.get(name, 0.0)


def differences(then: Sequence[Result], now: Sequence[Result], tolerances: Tolerances) -> list[Difference]:
    """What differs between the results of one trigger; of several parts in its frames the n-th is compared with the n-th."""
    if len(then) != len(now):
        counts = float(len(then)), float(len(now))
        return [Difference("part_count", "", *counts, None, 0.0)]
    found = []
    for index, (one, two) in enumerate(zip(then, now, strict=True)):
        prefix = f"part {index + 1} " if len(then) > 1 else ""
        old, new = dict(_fields(one)), dict(_fields(two))
        keys = [*old, *(key for key in new if key not in old)]
        found += [
            _difference(key, prefix, old.get(key), new.get(key), tolerances)
            for key in keys
            if old.get(key) != new.get(key)
        ]
    return found


def value_text(value: Value) -> str:
    """A value for people: a pair as (x, y), nothing as a dash."""
    match value:
        case None:
            return "-"
        case float():
            return f"{value:.6g}"
        case tuple():
            return f"({', '.join(f'{one:.6g}' for one in value)})"
        case _:
            return value


def _difference(key: Key, prefix: str, then: Value, now: Value, tolerances: Tolerances) -> Difference:
    name, of = key
    return Difference(name, f"{prefix}{of}".rstrip(), then, now, _distance(then, now), tolerances.of(name))


def _distance(then: Value, now: Value) -> float | None:
    if isinstance(then, float) and isinstance(now, float):
        return abs(then - now)
    if isinstance(then, tuple) and isinstance(now, tuple) and len(then) == len(now):
        return math.dist(then, now)
    return None


def _fields(result: Result) -> Iterator[tuple[Key, Value]]:
    """What an inspection says; not when, where or in what time."""
    yield ("result_state", ""), result.result_state.value
    yield ("result_evaluation", ""), result.result_evaluation.value
    yield ("disposition", ""), result.disposition.value
    for reason in result.reasons:
        yield from _of_reason(reason)
    for view in result.views:
        yield from _of_view(view)
    for keypoint in result.keypoints:
        yield from _of_keypoint(keypoint)
    for measurement in result.measurements:
        yield from _of_measurement(measurement)
    for edge in result.edges:
        yield ("edges", f"{edge.view}/{edge.name}"), "found" if edge.outline else "not found"
        yield ("edges.outline", f"{edge.view}/{edge.name}"), tuple(value for point in edge.outline for value in point)
    counts: dict[str, int] = {}
    for defect in result.defects:
        counts[defect.view] = counts.get(defect.view, 0) + 1
        yield from _of_defect(defect, f"{defect.view}/{counts[defect.view]}")


def _of_reason(reason: Reason) -> Iterator[tuple[Key, Value]]:
    named = ".".join(part for part in (reason.name, reason.code) if part)
    of = f"{named} {reason.view}".rstrip()
    yield ("reasons", of), "given"
    yield ("reasons.value", of), reason.value
    yield ("reasons.limit", of), reason.limit


def _of_view(view: View) -> Iterator[tuple[Key, Value]]:
    yield ("views.region", view.view), view.region


def _of_keypoint(one: Keypoint) -> Iterator[tuple[Key, Value]]:
    of = f"{one.view}/{one.name}"
    yield ("keypoints", of), "found"
    yield ("keypoints.state", of), one.state.value
    yield ("keypoints.visibility", of), one.visibility
    yield ("keypoints.xy", of), _pair(one.x, one.y)
    yield ("keypoints.xy_mm", of), _pair(one.x_mm, one.y_mm)
    yield ("keypoints.sigma_px", of), one.sigma_px


def _of_measurement(one: Measurement) -> Iterator[tuple[Key, Value]]:
    of = f"{one.view}/{one.name}" if one.view else one.name
    yield ("measurements", of), "measured"
    yield ("measurements.evaluation", of), one.evaluation.value
    yield ("measurements.unit", of), one.unit
    for name in ("value", "sigma", "nominal", "lower", "upper"):
        yield (f"measurements.{name}", of), getattr(one, name)


def _of_defect(one: Defect, of: str) -> Iterator[tuple[Key, Value]]:
    yield ("defects", of), "found"
    for name in ("area_px", "area_mm2", "score", "box", "peak"):
        yield (f"defects.{name}", of), getattr(one, name)
    mask = one.mask
    grid: tuple[Any, ...] = (mask.x, mask.y, mask.width, mask.height, mask.columns, mask.rows, *mask.counts)
    yield ("defects.mask", of), " ".join(map(repr, grid))
    yield ("defects.zones", of), ", ".join(one.zones)


def _pair(x: float | None, y: float | None) -> tuple[float, ...] | None:
    return None if x is None or y is None else (x, y)
