"""Where keypoints must lie for the others to lie where they do: a robust fit of the shape model."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Points
from pipeline.shape import ShapeModel

MOST_PAIRS = 128  # that are tried for a start; with half of the points far off, a quarter of them are still good
START_REACH = 3.0  # standard deviations: a point farther from a pair's shape costs no more than one that is there
OUTLIER = 4.0  # standard deviations: one point in 3000 lies so far from where it belongs (Rayleigh)
LEAST_SIGMA_PX = 0.3  # no label is better; networks and shapes that claim more would make good points outliers
MOST_INFLATION = 3.0  # the residuals may say that the standard deviations are this much too small
UNKNOWN_SIGMA_PX = 3.0  # where a network gives none: refined keypoints are about this far off in the first pass
_ROUNDS = 4
_MEDIAN_OF_RAYLEIGH = 1.1774  # over its standard deviation per axis


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the shape says of K points.

    Attributes:
        xy: (K, 2), where it puts each.
        residual_px: (K,), how far the given point lies from there; nan for one that was no number.
        is_inlier: (K,) bool, whether it lies where noise explains it.
        sigma_px: (K,), standard deviation per axis of `xy`; nan where nothing could be fitted.
    """

    xy: Points
    residual_px: NDArray[np.float64]
    is_inlier: NDArray[np.bool_]
    sigma_px: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Solution:
    """`turn` scales and turns as a complex number; `covariance` is of a, b and the modes, as in the design matrix."""

    xy: NDArray[np.complex128]
    turn: complex
    covariance: NDArray[np.float64]
    design: NDArray[np.float64]


class ShapeFit:
    """A shape model made ready for fitting; points are handled as complex numbers x + iy."""

    def __init__(self, model: ShapeModel) -> None:
        """Prepare for shapes of `model`."""
        self._mean = _complex(np.array(model.mean, np.float64).reshape(-1, 2))
        count = len(self._mean)
        deviations = np.array(model.deviations, np.float64)
        modes = np.array(model.modes, np.float64).reshape(len(deviations), count, 2)
        used = deviations > 1e-9
        self._modes = _complex(modes[used]).T  # (K, M)
        self._precision = np.concatenate([np.zeros(4), 1.0 / deviations[used] ** 2])
        self._noise = np.array(model.noise, np.float64)
        spread = 0.5 * (np.abs(self._modes) ** 2 @ deviations[used] ** 2)
        self._spread = np.sqrt(self._noise**2 + spread)  # of a point about the mean shape, per axis
        one, zero = np.ones(count), np.zeros(count)
        real = np.stack([self._mean.real, -self._mean.imag, one, zero], axis=1)
        imaginary = np.stack([self._mean.imag, self._mean.real, zero, one], axis=1)
        self._similar = np.concatenate([real, imaginary])  # (2K, 4): what Re a, Im a, Re b, Im b move
        self._first, self._second = self._pairs()
        self._apart = self._mean[self._second] - self._mean[self._first]

    def __call__(self, xy: Points, weight: NDArray[np.float64], sigma_px: NDArray[np.float64] | None = None) -> Fitted:
        """Fit place, turn, scale and modes; up to about half of the points may be far off.

        The best of many pairs of points, judged by all (RANSAC's idea, Fischler and Bolles 1981, without chance), then least
        squares weighted anew (Tukey's biweight), the modes held by their deviations (a Gaussian prior).

        Args:
            xy: (K, 2) px.
            weight: (K,), how far each point is trusted, 0 to 1; points of weight 0 get their place from the others.
            sigma_px: (K,), standard deviation per axis; nan or None where it is not known.

        Returns:
            With fewer than two usable points, or with points that all lie in one place: what was given.
        """
        points = _complex(xy)
        usable = np.isfinite(points) & np.isfinite(weight) & (weight > 0)
        points = np.where(usable, points, 0.0)
        trust = np.where(usable, weight, 0.0)
        known = np.full(len(points), UNKNOWN_SIGMA_PX)
        if sigma_px is not None:
            known = np.where(np.isfinite(sigma_px), sigma_px, known)
        known = np.hypot(known, LEAST_SIGMA_PX)
        start = self._start(points, trust, known)
        solution = None if start is None else self._solve(points, trust, known, *start)
        return _unfitted(xy) if solution is None else self._fitted(xy, solution, trust, known)

    def _start(
        self, points: NDArray[np.complex128], trust: NDArray[np.float64], known: NDArray[np.float64]
    ) -> tuple[NDArray[np.complex128], complex] | None:
        """The mean shape laid through two points so that it explains the others best: it, and its turn."""
        first, second = self._first, self._second
        turns = (points[second] - points[first]) / self._apart
        possible = (trust[first] > 0) & (trust[second] > 0) & (np.abs(turns) > 1e-6)
        if not possible.any():
            return None
        shifts = 0.5 * (points[first] + points[second] - turns * (self._mean[first] + self._mean[second]))
        shapes = turns[:, None] * self._mean + shifts[:, None]  # (P, K)
        apart = points - shapes
        variance = (np.abs(turns) ** 2)[:, None] * self._spread**2 + known**2
        squares = (apart.real**2 + apart.imag**2) / (START_REACH**2 * variance)
        costs = np.where(possible, np.minimum(squares, 1.0) @ trust, np.inf)
        best = int(costs.argmin())
        return shapes[best], complex(turns[best])

    def _solve(
        self,
        points: NDArray[np.complex128],
        trust: NDArray[np.float64],
        known: NDArray[np.float64],
        shape: NDArray[np.complex128],
        turn: complex,
    ) -> _Solution | None:
        """Least squares from a start, again and again, with the weight of what lies far off taken away."""
        solution = None
        spread = self._spread
        for _ in range(_ROUNDS):
            variance = (abs(turn) * spread) ** 2 + known**2
            relative = np.abs(points - shape) ** 2 / variance
            cut = (OUTLIER * _inflation(relative, trust)) ** 2
            robust = trust * np.maximum(0.0, 1.0 - relative / cut) ** 2
            solution = self._least_squares(points, robust / ((abs(turn) * self._noise) ** 2 + known**2), turn)
            if solution is None:
                return None
            shape, turn, spread = solution.xy, solution.turn, self._noise  # the modes have been fitted
        return solution

    def _least_squares(
        self, points: NDArray[np.complex128], weight: NDArray[np.float64], turn: complex
    ) -> _Solution | None:
        size = abs(turn)
        turned = self._modes * (turn / size)
        design = np.concatenate([self._similar, np.concatenate([turned.real, turned.imag])], axis=1)
        weighted = design.T * np.concatenate([weight, weight])
        normal = weighted @ design
        normal.flat[:: len(normal) + 1] += self._precision / size**2
        try:
            covariance = np.linalg.inv(normal)
        except np.linalg.LinAlgError:
            return None
        found = covariance @ (weighted @ np.concatenate([points.real, points.imag]))
        halves = design @ found
        xy = halves[: len(points)] + 1j * halves[len(points) :]
        turn = complex(found[0], found[1])
        if not (np.isfinite(halves).all() and abs(turn) > 1e-6):
            return None
        return _Solution(xy, turn, covariance, design)

    def _fitted(
        self, xy: Points, solution: _Solution, trust: NDArray[np.float64], known: NDArray[np.float64]
    ) -> Fitted:
        count = len(xy)
        residual = np.abs(_complex(xy) - solution.xy)
        own = (abs(solution.turn) * self._noise) ** 2
        relative = residual**2 / (own + known**2)
        inflation = _inflation(np.where(trust > 0, relative, 0.0), trust)
        of_fit = np.einsum("ij,jk,ik->i", solution.design, solution.covariance, solution.design)
        of_fit = 0.5 * (of_fit[:count] + of_fit[count:])
        return Fitted(
            xy=np.stack([solution.xy.real, solution.xy.imag], axis=1),
            residual_px=residual,
            is_inlier=np.asarray(relative <= (OUTLIER * inflation) ** 2, np.bool_),  # never of what is no number
            sigma_px=np.sqrt(own + inflation**2 * np.maximum(of_fit, 0.0)),
        )

    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs of points to start from: far enough apart in the mean shape, every point about as often."""
        count = len(self._mean)
        pairs = [(i, (i + step) % count) for step in range(1, count // 2 + 1) for i in range(count)]
        pairs = sorted({(min(pair), max(pair)): None for pair in pairs}) if count < 3 else pairs
        first, second = np.array(pairs, np.int64).reshape(-1, 2).T
        length = np.abs(self._mean[second] - self._mean[first])
        far = length > max(1e-6, 0.5 * float(np.median(length))) if len(length) else length > 0
        first, second = first[far], second[far]
        chosen = np.unique(np.linspace(0, max(len(first) - 1, 0), min(MOST_PAIRS, len(first))).round().astype(np.int64))
        return first[chosen], second[chosen]


def fit(
    model: ShapeModel, xy: Points, weight: NDArray[np.float64], sigma_px: NDArray[np.float64] | None = None
) -> Fitted:
    """Fit `model` once; see ShapeFit, which is made once for many fits."""
    return ShapeFit(model)(xy, weight, sigma_px)


def _unfitted(xy: Points) -> Fitted:
    given = np.array(xy, np.float64)
    count = len(given)
    is_number = np.isfinite(given).all(axis=1)
    return Fitted(given, np.where(is_number, 0.0, np.nan), is_number, np.full(count, np.nan))


def _inflation(relative: NDArray[np.float64], trust: NDArray[np.float64]) -> float:
    """How many times larger the standard deviations are than was said, from squared relative residuals: at least 1."""
    order = np.argsort(relative, kind="stable")
    reached = np.cumsum(trust[order])
    if not reached[-1] > 0:
        return 1.0
    median = float(relative[order[np.searchsorted(reached, reached[-1] / 2.0)]])
    return min(max(math.sqrt(median) / _MEDIAN_OF_RAYLEIGH, 1.0), MOST_INFLATION)


def _complex(xy: Points) -> NDArray[np.complex128]:
    return np.asarray(xy[..., 0] + 1j * xy[..., 1])
