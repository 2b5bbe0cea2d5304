"""A circle or a line through points of which some are not on it, with the covariance of what is fitted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Points

TRIALS = 64  # fits through as few points as will do; with a third astray, hardly one in 10^9 sets is all bad
TURNS = 30
TUKEY = 4.685  # in standard deviations: 95% efficient on normal residuals (Holland & Welsch 1977)
SINGULAR = 1e-10  # of equal pulls in every direction: less determines nothing
_DRAWN = np.random.default_rng(1).random((TRIALS, 3))  # the same picture gives the same numbers


@dataclass(frozen=True, slots=True)
class Fit:
    """What was fitted.

    Attributes:
        shape: circle: x, y of the centre, radius. Line: x, y of the first end, x, y of the second.
        covariance: (len(shape), len(shape)), from the scatter of the points.
        is_on: (N,) bool, which points lie on it.
    """

    shape: NDArray[np.float64]
    covariance: NDArray[np.float64]
    is_on: NDArray[np.bool_]


def fit_circle(xy: Points) -> Fit | None:
    """Least squares of the distances from the circle, for the points (N, 2) on it; None where they define none.

    The start is the best of circles through three points, by the median of the distances (Rousseeuw 1984); then Tukey's
    biweight, and the covariance of such an estimate (Huber 1981).
    """
    if len(xy) < 5:
        return None
    middle, span = xy.mean(axis=0), float(np.abs(xy - xy.mean(axis=0)).max())
    if not span > 0.0:
        return None
    points = (xy - middle) / span  # centred and of size 1, so that tolerances below have a meaning
    trial = _circles(points[_triples(len(xy))])  # (T, 3)
    distances = np.abs(np.hypot(*(points[None] - trial[:, None, :2]).transpose(2, 0, 1)) - trial[:, 2:])
    spread = np.median(np.where(np.isfinite(distances), distances, np.inf), axis=1)
    best = int(np.argmin(spread))
    if not np.isfinite(spread[best]):
        return None
    solved = _reweighted(trial[best], points, float(spread[best]), _circle_rows)
    if solved is None:
        return None
    shape, covariance, is_on = solved
    scaled = shape * span
    scaled[:2] += middle
    return Fit(scaled, covariance * span**2, is_on)


def fit_line(xy: Points) -> Fit | None:
    """As fit_circle, a line: its ends are where the outermost points on it lie; None where they define none.

    The ends' covariance is that across the line; along it they have none.
    """
    if len(xy) < 4:
        return None
    pairs = _triples(len(xy))[:, [0, 2]]
    start, along = xy[pairs[:, 0]], xy[pairs[:, 1]] - xy[pairs[:, 0]]
    length = np.hypot(*along.T)
    if not length.max() > 0.0:
        return None
    usable = length > 0.1 * length.max()
    start, along = start[usable], (along / np.maximum(length, 1e-300)[:, None])[usable]
    off = xy[None] - start[:, None]
    spread = np.median(np.abs(along[:, :1] * off[..., 1] - along[:, 1:] * off[..., 0]), axis=1)
    best = int(np.argmin(spread))
    axes = np.array([along[best], [-along[best][1], along[best][0]]])
    middle = xy.mean(axis=0)
    points = (xy - middle) @ axes.T  # along the line, across it
    span = float(np.abs(points[:, 0]).max())
    solved = _reweighted(np.zeros(2), points / span, float(spread[best]) / span, _line_rows)
    if solved is None:
        return None
    shape, covariance, is_on = solved
    ends = np.array([points[is_on, 0].min(), points[is_on, 0].max()])
    to_offsets = np.column_stack([np.ones(2), ends / span]) * span  # from offset and slope to offsets of the ends
    local = np.column_stack([ends, to_offsets @ shape])
    across = np.kron(np.eye(2), axes[1][:, None])  # (4, 2), from offsets of the ends to x, y of both
    cov = across @ to_offsets @ covariance @ to_offsets.T @ across.T
    return Fit((local @ axes + middle).ravel(), cov, is_on)


def _circle_rows(shape: NDArray[np.float64], xy: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances outwards (N,), and how they change with the shape, (N, 3)."""
    away = xy - shape[:2]
    distance = np.maximum(np.hypot(*away.T), 1e-12)
    return distance - shape[2], np.column_stack([-away / distance[:, None], -np.ones(len(xy))])


def _line_rows(shape: NDArray[np.float64], xy: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances across from offset + slope * along; the line is nearly the x axis."""
    return xy[:, 1] - shape[0] - shape[1] * xy[:, 0], -np.column_stack([np.ones(len(xy)), xy[:, 0]])


def _reweighted(
    shape: NDArray[np.float64],
    points: Points,
    spread: float,
    rows: Callable[[NDArray[np.float64], Points], tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]] | None:
    """Shape, covariance and who is on it, from a start and the median distance from that."""
    count, free = len(points), len(shape)
    scale = max(1.4826 * (1.0 + 5.0 / (count - free)) * spread, 1e-9)
    for _ in range(TURNS):
        residuals, jacobian = rows(shape, points)
        weights = np.clip(1.0 - (residuals / (TUKEY * scale)) ** 2, 0.0, None) ** 2
        normal = jacobian.T @ (weights[:, None] * jacobian)
        size = float(np.trace(normal)) / free
        if not float(np.linalg.det(normal)) > SINGULAR * size**free:
            return None
        change = -np.linalg.solve(normal, jacobian.T @ (weights * residuals))
        shape = shape + change
        near = np.abs(residuals) < TUKEY * scale
        scale = max(min(scale, _deviation(residuals[near], free)), 1e-9)
        if np.abs(change).max() < 1e-8:
            break
    residuals, jacobian = rows(shape, points)
    ratio = (residuals / (TUKEY * scale)) ** 2
    is_on = ratio < 1.0
    if is_on.sum() <= free:
        return None
    inner = np.where(is_on, 1.0 - ratio, 0.0)
    pull, slope = residuals * inner**2, inner * (1.0 - 5.0 * ratio)  # psi and its derivative
    mean_slope = max(float(slope.sum()) / count, 1e-3)
    variance = float((pull**2).sum()) / (count - free) / mean_slope**2
    return shape, np.asarray(variance * np.linalg.inv(jacobian.T @ jacobian), np.float64), is_on


def _deviation(residuals: NDArray[np.float64], free: int) -> float:
    """Standard deviation from the median of the distances, as robust as that is."""
    if len(residuals) <= free:
        return np.inf
    return 1.4826 * (1.0 + 5.0 / (len(residuals) - free)) * float(np.median(np.abs(residuals)))


def _triples(count: int) -> NDArray[np.intp]:
    """(TRIALS, 3), indices of three different points, one from each third: far apart, where points follow each other."""
    bounds = np.linspace(0, count, 4).astype(np.intp)
    return (bounds[:3] + _DRAWN * np.diff(bounds)).astype(np.intp)


def _circles(triples: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, 3), centre and radius of the circle through three points each, (T, 3, 2); nan where they lie on a line."""
    origin, two, three = triples[:, 0], triples[:, 1] - triples[:, 0], triples[:, 2] - triples[:, 0]
    twice = 2.0 * (two[:, 0] * three[:, 1] - two[:, 1] * three[:, 0])
    squares = np.stack([(two**2).sum(axis=1), (three**2).sum(axis=1)])
    with np.errstate(divide="ignore", invalid="ignore"):
        x = (three[:, 1] * squares[0] - two[:, 1] * squares[1]) / twice
        y = (two[:, 0] * squares[1] - three[:, 0] * squares[0]) / twice
    return np.column_stack([origin[:, 0] + x, origin[:, 1] + y, np.hypot(x, y)])
