"""The points, circles and lines of one part in the plane of its view, with how far off all of them may be, jointly."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Points
from pipeline.plane_map import PlaneMap
from pipeline.result import Keypoint, KeypointState
from pipeline.stages.values import ViewFindings

_CORNERS = np.array(
    [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]
)  # of a circle: what the plane does to these, it does to it


@dataclass(frozen=True, slots=True)
class PartShapes:
    """Of one part in one view.

    Attributes:
        values: (P,) of all shapes, one after the other, in mm or in px where the view has no scale.
        covariance: (P, P), of what was found and of the calibration together; nan for what no one knows of.
        spans: of each shape by name, where in `values` it stands.
    """

    values: NDArray[np.float64]
    covariance: NDArray[np.float64]
    spans: Mapping[str, slice]

    def of(self, names: Iterable[str]) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, slice]]:
        """Values (Q,) and covariance (Q, Q) of some of them, and where each of these stands among them."""
        spans: dict[str, slice] = {}
        indices: list[int] = []
        for name in names:
            span = self.spans[name]
            spans[name] = slice(len(indices), len(indices) + span.stop - span.start)
            indices += range(span.start, span.stop)
        return self.values[indices], self.covariance[np.ix_(indices, indices)], spans


def part_shapes(findings: ViewFindings, plane: PlaneMap) -> PartShapes:
    """Map what is visible and what was found into the plane; what the plane has no place for stands there as nan."""
    points = [one for one in findings.keypoints if one.state is KeypointState.visible and one.x is not None]
    xy_sensor_px = np.array([(one.x, one.y) for one in points], np.float64).reshape(-1, 2)
    edges = [one for one in findings.edges if one.shape]
    shapes = [*plane.to_mm(xy_sensor_px), *(np.array(one.shape) for one in edges)]
    names = [*(one.name for one in points), *(one.name for one in edges)]
    ends = np.cumsum([0, *(len(shape) for shape in shapes)]).tolist()
    values = np.concatenate(shapes) if shapes else np.zeros(0)
    covariance = np.full((len(values), len(values)), np.nan)
    if plane.states_uncertainty and shapes:
        covariance = _by_calibration(shapes, xy_sensor_px, plane)
        noise = [*_of_keypoints(points, xy_sensor_px, plane), *(np.array(one.covariance) for one in edges)]
        for start, end, found in zip(ends, ends[1:], noise, strict=False):
            covariance[start:end, start:end] += found
    spans = {name: slice(start, end) for name, start, end in zip(names, ends, ends[1:], strict=False)}
    return PartShapes(values, covariance, spans)


def _of_keypoints(points: list[Keypoint], xy_sensor_px: Points, plane: PlaneMap) -> NDArray[np.float64]:
    """(N, 2, 2) mm², of where the networks found them; nan where no calibration makes their sigmas honest."""
    sigma = np.array([np.nan if one.sigma_px is None else one.sigma_px for one in points], np.float64)
    jacobian = plane.jacobian(xy_sensor_px)
    return np.asarray(jacobian @ jacobian.transpose(0, 2, 1) * (sigma**2)[:, None, None])


def _by_calibration(shapes: list[NDArray[np.float64]], xy_sensor_px: Points, plane: PlaneMap) -> NDArray[np.float64]:
    """(P, P) mm², what the calibration's uncertainty does to all shapes together: by what it does to points on each."""
    supports = [_supports(shape) for shape in shapes]
    of_edges = [xy_mm for (xy_mm, _), shape in zip(supports, shapes, strict=True) if len(shape) > 2]
    edges_px = plane.to_px(np.concatenate(of_edges)) if of_edges else np.zeros((0, 2))
    joint = plane.covariance_mm2(np.concatenate([xy_sensor_px, edges_px]))
    by_points = np.zeros((sum(len(shape) for shape in shapes), joint.shape[0]))
    row = column = 0
    for shape, (_, effect) in zip(shapes, supports, strict=True):
        by_points[row : row + len(shape), column : column + effect.shape[1]] = effect
        row, column = row + len(shape), column + effect.shape[1]
    lost = ~np.isfinite(np.diagonal(joint))  # a point without a place on the plane must spoil no other
    covariance = by_points[:, ~lost] @ joint[np.ix_(~lost, ~lost)] @ by_points[:, ~lost].T
    is_spoiled = by_points[:, lost].any(axis=1)
    covariance[is_spoiled] = covariance[:, is_spoiled] = np.nan
    return np.asarray(covariance)


def _supports(shape: NDArray[np.float64]) -> tuple[Points, NDArray[np.float64]]:
    """Points (n, 2) on a shape, and how it follows them: (len(shape), 2n)."""
    if len(shape) != 3:  # a point is one, a line is its two ends
        return shape.reshape(-1, 2), np.eye(len(shape))
    centre = np.kron(np.full((1, 4), 0.25), np.eye(2))
    radius = _CORNERS.reshape(1, -1) / 4.0
    return shape[:2] + shape[2] * _CORNERS, np.concatenate([centre, radius])
