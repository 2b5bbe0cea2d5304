"""Least squares over the views of a board: the lens, where the board was in each view, and how sure all of that is.

Bundle adjustment (Triggs et al. 2000) by Levenberg and Marquardt. A view has two scales of its errors: what its corners'
own grey levels say, and one factor for the view, found from what is left over, as blur, motion or a bent board differ
from view to view.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.board_view import BoardView
from calibration.dot import middle_of_area_px
from calibration.variance import prior_degrees
from pipeline.geometry import Points
from pipeline.lens_model import Array, Lens

_MOST_STEPS = 60
_STILL = 1e-10  # of the sum of squares: less gain ends it
_LEAST_KNOWN = 1e-13  # of what the best known combination of parameters is known by
_HUBER = 2.5  # in sigmas, beyond which a point pulls less
_LEAST_COMMON, _MOST_COMMON = 20.0, 1e6  # coordinates of a view that what all views say of its factor is worth
POSE = 6


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of a lens before: its values and their covariance (P, P)."""

    values: Array
    covariance: Array


@dataclass(frozen=True, slots=True)
class Bundle:
    """A lens with its views.

    Attributes:
        poses: one (6,) a view.
        factors: one a view, of its points' sigmas.
        dot_radius_mm: of boards of dots; 0 where points are corners.
        shifts_px: one (N, 2) a view of dots, from a dot's middle to that of its drawn area, as of the last `shifted`.
    """

    lens: Lens
    views: tuple[BoardView, ...]
    poses: tuple[Array, ...]
    factors: tuple[float, ...]
    dot_radius_mm: float = 0.0
    shifts_px: tuple[Points, ...] = ()

    def shifted(self) -> Bundle:
        """The same with the shifts of dots as they are where it stands. They hardly change where it moves from there."""
        if not self.dot_radius_mm:
            return self
        seen = zip(self.views, self.poses, strict=True)
        shifts = [middle_of_area_px(self.lens, pose, view.points_mm, self.dot_radius_mm) for view, pose in seen]
        return replace(self, shifts_px=tuple(shifts))

    def residuals_px(self) -> list[Points]:
        """What was found less what is drawn, (N, 2) a view."""
        return [view.xy_sensor_px - self.drawn(number)[0] for number, view in enumerate(self.views)]

    def drawn(self, number: int) -> tuple[Points, Array]:
        """Where the points of a view are drawn, and the derivatives (N, 2, P + 6)."""
        points_mm = self.views[number].points_mm
        drawn = self.lens.draw(self.poses[number], np.column_stack([points_mm, np.zeros(len(points_mm))]))
        xy = drawn.xy_sensor_px + self.shifts_px[number] if self.shifts_px else drawn.xy_sensor_px
        return xy, np.concatenate([drawn.by_lens, drawn.by_pose], axis=2)


@dataclass(frozen=True, slots=True)
class Normal:
    """The normal equations of a bundle.

    Attributes:
        matrix: (Q, Q) squared derivatives over variances, Q = P + 6 a view.
        vector: (Q,) of the residuals.
        cost: sum of squares, large residuals pulled in.
    """

    matrix: Array
    vector: Array
    cost: float

    @property
    def covariance(self) -> Array:
        """Of all parameters.

        A combination that the views say nothing of has a variance as large as double precision lets it be told from
        infinite, not none: a pseudo-inverse would call what is unknown sure.
        """
        scale = 1.0 / np.sqrt(np.maximum(np.diag(self.matrix), 1e-300))
        values, vectors = np.linalg.eigh(self.matrix * scale[:, None] * scale)
        inverse = (vectors / np.maximum(values, _LEAST_KNOWN * values[-1])) @ vectors.T
        return np.asarray((inverse + inverse.T) / 2.0 * scale[:, None] * scale)


def normal(bundle: Bundle, free: NDArray[np.bool_], prior: Prior | None = None) -> Normal:
    """The normal equations where it stands; only `free` (P,) of the lens's parameters are looked for."""
    lens_count = len(free)
    size = lens_count + POSE * len(bundle.views)
    matrix, vector, cost = np.zeros((size, size)), np.zeros(size), 0.0
    for number, (view, factor) in enumerate(zip(bundle.views, bundle.factors, strict=True)):
        xy, slopes = bundle.drawn(number)
        missing = (view.xy_sensor_px - xy) / (view.sigma_px * factor)[:, None]
        slopes = slopes / (view.sigma_px * factor)[:, None, None]
        far = np.linalg.norm(missing, axis=1)
        pull = np.minimum(1.0, _HUBER * np.sqrt(2.0) / np.maximum(far, 1e-12))
        cost += float(np.where(pull < 1.0, far * _HUBER * np.sqrt(8.0) - 2.0 * _HUBER**2, far**2).sum())
        slopes[:, :, :lens_count] *= free
        flat, weighted = (
            slopes.reshape(-1, slopes.shape[2]),
            (slopes * pull[:, None, None]).reshape(-1, slopes.shape[2]),
        )
        places = np.r_[0:lens_count, lens_count + POSE * number : lens_count + POSE * (number + 1)]
        matrix[np.ix_(places, places)] += weighted.T @ flat
        vector[places] += weighted.T @ missing.ravel()
    if prior is not None:
        known, off = np.linalg.inv(prior.covariance), prior.values - bundle.lens.values
        matrix[:lens_count, :lens_count] += known
        vector[:lens_count] += known @ off
        cost += float(off @ known @ off)
    return Normal(matrix, vector, cost)


def adjusted(bundle: Bundle, free: NDArray[np.bool_], prior: Prior | None = None) -> Bundle:
    """The bundle of least squares near where it stands."""
    bundle = bundle.shifted()
    here, damping = normal(bundle, free, prior), 1e-3
    for _ in range(_MOST_STEPS):
        moved = _moved(bundle, _step(here, damping))
        there = normal(moved, free, prior)
        if np.isfinite(there.cost) and there.cost <= here.cost:
            gain = here.cost - there.cost
            bundle, here, damping = moved, there, max(damping / 10.0, 1e-12)
            if gain <= _STILL * max(here.cost, 1e-12):
                break
        else:
            damping *= 10.0
            if damping > 1e12:
                break
    return bundle


def rescaled(bundle: Bundle, free: NDArray[np.bool_], prior: Prior | None = None) -> Bundle:
    """The bundle with each view's factor set to what its residuals say, partly to what those of all views say."""
    covariance = normal(bundle, free, prior).covariance
    lens_count = len(free)
    squares, freedom = [], []
    for number, (view, factor) in enumerate(zip(bundle.views, bundle.factors, strict=True)):
        xy, slopes = bundle.drawn(number)
        slopes[:, :, :lens_count] *= free
        slopes = (slopes / (view.sigma_px * factor)[:, None, None]).reshape(-1, slopes.shape[2])
        places = np.r_[0:lens_count, lens_count + POSE * number : lens_count + POSE * (number + 1)]
        explained = float(np.einsum("ni,ij,nj->", slopes, covariance[np.ix_(places, places)], slopes))
        squares.append(float((((view.xy_sensor_px - xy) / view.sigma_px[:, None]) ** 2).sum()))
        freedom.append(max(2 * len(xy) - explained, 1.0))
    common = sum(squares) / sum(freedom)
    spread = float(np.log(np.maximum(squares, 1e-300) / freedom).var(ddof=1)) if len(squares) > 1 else 0.0
    few = float(np.clip(prior_degrees(spread, float(np.mean(freedom))), _LEAST_COMMON, _MOST_COMMON))
    factors = [float(np.sqrt((s + few * common) / (f + few))) for s, f in zip(squares, freedom, strict=True)]
    return replace(bundle, factors=tuple(factors))


def _step(here: Normal, damping: float) -> Array:
    diagonal = np.diag(here.matrix)
    scale = 1.0 / np.sqrt(np.maximum(diagonal, 1e-300))
    unit = here.matrix * scale[:, None] * scale
    unit[diagonal <= 0.0] = 0.0
    unit[:, diagonal <= 0.0] = 0.0
    right = np.where(diagonal > 0.0, here.vector * scale, 0.0)
    return np.asarray(np.linalg.solve(unit + (damping + 1e-14) * np.eye(len(unit)), right) * scale * (diagonal > 0.0))


def _moved(bundle: Bundle, step: Array) -> Bundle:
    count = len(bundle.lens.values)
    poses = [pose + step[count + POSE * n : count + POSE * (n + 1)] for n, pose in enumerate(bundle.poses)]
    return replace(bundle, lens=bundle.lens.with_values(bundle.lens.values + step[:count]), poses=tuple(poses))
