"""A result drawn over its picture, for people: keypoints, measured quantities, defects, the verdict and its reasons."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.defect_mask import sampled
from pipeline.recipe_measure import MeasureSettings
from pipeline.result import Defect, Edge, Evaluation, Keypoint, KeypointState, Measurement, Result
from pipeline.result_text import area_text, reason_text

Colour = tuple[int, int, int]

GREEN, RED, ORANGE, CYAN = (90, 220, 90), (60, 60, 255), (40, 170, 255), (230, 220, 40)  # BGR
COLOURS = {
    Evaluation.OK: GREEN,
    Evaluation.NOT_OK: RED,
    Evaluation.NOT_DECIDABLE: ORANGE,
    Evaluation.UNDEFINED: ORANGE,
}
SHIFT = 4  # fractional bits of drawn positions
FILL = 0.35  # of a defect's mask; what is under it stays to be seen


def segments(measures: Mapping[str, MeasureSettings]) -> dict[str, tuple[str, ...]]:
    """For each measured quantity the keypoints that it is drawn between; edges among them are not drawn."""
    return {name: measure.keypoints() for name, measure in measures.items()}


def draw(image: NDArray[np.uint8], result: Result, view: str, lines: Mapping[str, Sequence[str]]) -> NDArray[np.uint8]:
    """Draw one view of a result.

    Args:
        image: uint8 (H, W) grey or (H, W, 3) BGR, the whole frame.
        result: the result; positions in sensor px.
        view: which view the image is.
        lines: measurement name to the keypoints it is drawn between, as `segments` gives.

    Returns:
        uint8 (H, W, 3) BGR, a copy.
    """
    canvas: NDArray[np.uint8] = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy()  # type: ignore[assignment]  # OpenCV's stubs know no dtype
    size = max(0.4, image.shape[1] / 2000)
    forbidden = any(reason.code in ("defect", "defects") and reason.view == view for reason in result.reasons)
    for defect in result.defects:
        if defect.view == view:
            _defect(canvas, defect, RED if forbidden else ORANGE, size)
    seen = {point.name: point for point in result.keypoints if point.view == view and point.x is not None}
    for measurement in result.measurements:
        _measurement(
            canvas, measurement, [seen[name] for name in lines.get(measurement.name, ()) if name in seen], size
        )
    for edge in result.edges:
        if edge.view == view and edge.outline:
            _edge(canvas, edge, size)
    for point in seen.values():
        _keypoint(canvas, point, size)
    texts = [(f"{result.result_evaluation.value}  {result.disposition.value}", COLOURS[result.result_evaluation])]
    texts += [(reason_text(reason), COLOURS[result.result_evaluation]) for reason in result.reasons]
    texts += [(_measured_text(entry), COLOURS[entry.evaluation]) for entry in result.measurements]
    hidden = [point.name for point in result.keypoints if point.view == view and point.state is KeypointState.hidden]
    if hidden:
        texts.append((f"hidden: {', '.join(hidden)}", ORANGE))
    for row, (text, colour) in enumerate(texts):
        scale = size * (1.6 if row == 0 else 1.0)
        _text(canvas, text, (round(24 * size), round((56 + 44 * row) * size)), scale, colour)
    return canvas


def _defect(canvas: NDArray[np.uint8], defect: Defect, colour: Colour, size: float) -> None:
    """Its mask, outlined and lightly filled, with its area."""
    mask = defect.mask
    left, top = max(0, math.floor(mask.x)), max(0, math.floor(mask.y))
    right = min(canvas.shape[1], math.ceil(mask.x + mask.width))
    bottom = min(canvas.shape[0], math.ceil(mask.y + mask.height))
    if left >= right or top >= bottom:  # of a picture that was cut since
        return
    covered = sampled(mask, np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5)
    shown = canvas[top:bottom, left:right]
    shown[covered] = (shown[covered] * (1.0 - FILL) + np.array(colour) * FILL).astype(np.uint8)
    outlines, _ = cv2.findContours(covered.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(left, top))
    cv2.drawContours(canvas, outlines, -1, colour, max(1, round(2 * size)), cv2.LINE_AA)
    _text(canvas, area_text(defect), (right + round(6 * size), top), size * 0.7, colour)


def _edge(canvas: NDArray[np.uint8], edge: Edge, size: float) -> None:
    """As it was found; thin, so that the edge itself stays to be seen."""
    places = np.rint(np.clip(edge.outline, -1e5, 1e5) * np.float64(2**SHIFT)).astype(np.int32)
    cv2.polylines(canvas, [places], isClosed=False, color=CYAN, thickness=1, lineType=cv2.LINE_AA, shift=SHIFT)
    corner = (int(places[0][0]) // 2**SHIFT + round(8 * size), int(places[0][1]) // 2**SHIFT + round(22 * size))
    _text(canvas, edge.name, corner, size * 0.7, CYAN)


def _keypoint(canvas: NDArray[np.uint8], point: Keypoint, size: float) -> None:
    colour = GREEN if point.state is KeypointState.visible else ORANGE
    centre = _fixed(point)
    cv2.circle(canvas, centre, round(9 * size * 2**SHIFT), colour, max(1, round(2 * size)), cv2.LINE_AA, SHIFT)
    cv2.circle(canvas, centre, round(1.5 * size * 2**SHIFT), colour, -1, cv2.LINE_AA, SHIFT)
    corner = (centre[0] // 2**SHIFT + round(12 * size), centre[1] // 2**SHIFT - round(10 * size))
    _text(canvas, point.name, corner, size * 0.7, colour)


def _measurement(canvas: NDArray[np.uint8], measurement: Measurement, points: list[Keypoint], size: float) -> None:
    colour = COLOURS[measurement.evaluation]
    for start, end in pairwise(points):
        cv2.line(canvas, _fixed(start), _fixed(end), colour, max(1, round(2 * size)), cv2.LINE_AA, SHIFT)
    if len(points) > 1 and measurement.evaluation is not Evaluation.OK:
        middle = np.mean([_fixed(point) for point in points], axis=0) / 2**SHIFT
        _text(canvas, _measured_text(measurement), (round(middle[0]), round(middle[1])), size * 0.8, colour)


def _measured_text(measurement: Measurement) -> str:
    if measurement.value is None:
        return f"{measurement.name} not measured"
    text = f"{measurement.name} {measurement.value:.3f} {measurement.unit}"
    limits = [f"{limit:.3f}" for limit in (measurement.lower, measurement.upper) if limit is not None]
    return f"{text} [{' .. '.join(limits)}]" if limits else text


def _fixed(point: Keypoint) -> tuple[int, int]:
    """Position with SHIFT fractional bits, as OpenCV's drawing takes it."""
    return round((point.x or 0.0) * 2**SHIFT), round((point.y or 0.0) * 2**SHIFT)


def _text(canvas: NDArray[np.uint8], text: str, at: tuple[int, int], scale: float, colour: Colour) -> None:
    """Text on a darkened ground, kept inside the picture. `at` is the left end of its base line."""
    thickness = max(1, round(scale * 2))
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    x, y = max(2, min(at[0], canvas.shape[1] - width - 4)), max(height + 2, min(at[1], canvas.shape[0] - below - 2))
    ground = canvas[y - height - 2 : y + below + 2, x - 2 : x + width + 2]
    ground[:] = ground // 3
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)
