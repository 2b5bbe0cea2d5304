"""Where keypoints must lie for the others to lie where they do: a robust fit of the shape model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Points
from pipeline.shape import ShapeModel

FARTHEST_PX = 1e6  # no image is so large; what lies beyond is no place
LEAST_WEIGHT = 1e-6  # of a point that counts at all
MOST_PAIRS = 128  # that are tried for a start; with half of the points far off, a quarter of them are still good
STARTS = 6  # the best pairs, that are followed up: with wide modes the best is not always a good one
START_REACH = 3.0  # standard deviations: a point farther from a pair's shape costs no more than one that is there
OUTLIER = 4.0  # standard deviations: one point in 3000 lies so far from where it belongs (Rayleigh)
LEAST_SIGMA_PX = 0.3  # no label is better; networks and shapes that claim more would make good points outliers
MOST_INFLATION = 3.0  # the residuals may say that the standard deviations are this much too small
HARDLY = 0.1  # of the trust in the best point and in all: so little does not decide whether a shape explains the points
LIKELY = 3.0  # deviations of a mode: what bends a shape farther may be a point that is far off
UNKNOWN_SIGMA_PX = 3.0  # where a network gives none: refined keypoints are about this far off in the first pass
_ROUNDS = 4
_ORDINARY_ROUNDS = 3
_SMALLEST_FREEDOM = 1e-6  # of a point that the fit goes through
_TINY = 1e-12  # keeps the equations solvable where only two points count
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
class _Solutions:
    """H attempts: `shapes` (H, K), `turns` (H,) that scale and turn, `parameters` (H, 4 + M), `normals` of these."""

    shapes: NDArray[np.complex128]
    turns: NDArray[np.complex128]
    parameters: NDArray[np.float64]
    normals: NDArray[np.float64]


class ShapeFit:
    """A shape model made ready for fitting; points are handled as complex numbers x + iy."""

    def __init__(self, model: ShapeModel) -> None:
        """Prepare for shapes of `model`."""
        self._mean = _complex(np.array(model.mean, np.float64).reshape(-1, 2))
        count = len(self._mean)
        deviations = np.array(model.deviations, np.float64)
        used = deviations > 1e-9
        modes = _complex(np.array(model.modes, np.float64).reshape(len(deviations), count, 2)[used])
        one = np.ones(count)
        # What the real and imaginary part of the turn, x, y and the modes move: (K, 4 + M).
        self._design = np.stack([self._mean, 1j * self._mean, one, 1j * one, *modes], axis=1)
        products = (self._design.conj()[:, :, None] * self._design[:, None, :]).real
        self._products = np.ascontiguousarray(products.reshape(count, -1))
        self._precision = np.concatenate([np.zeros(4), 1.0 / deviations[used] ** 2])
        self._noise = np.array(model.noise, np.float64)
        varied = 0.5 * (deviations[used] ** 2 @ np.abs(modes) ** 2) if used.any() else 0.0
        self._spread = np.sqrt(self._noise**2 + varied)  # of a point about the mean shape, per axis
        self._first, self._second = self._pairs()
        self._apart = self._mean[self._second] - self._mean[self._first]

    def __call__(self, xy: Points, weight: NDArray[np.float64], sigma_px: NDArray[np.float64] | None = None) -> Fitted:
        """Fit place, turn, scale and modes; up to about half of the points may be far off.

        Least squares, the modes held by their deviations (a Gaussian prior), where this explains every point that is
        trusted. Else the best of many pairs of points, judged by all (RANSAC's idea, Fischler and Bolles 1981, without
        chance), then least squares weighted anew (Tukey's biweight).

        Args:
            xy: (K, 2) px.
            weight: (K,), how far each point is trusted, 0 to 1; points of weight 0 get their place from the others.
            sigma_px: (K,), standard deviation per axis; nan or None where it is not known.

        Returns:
            With fewer than two usable points, or with points that all lie in one place: what was given.
        """
        points = _complex(np.where(np.abs(xy) < FARTHEST_PX, xy, np.nan))
        usable = np.isfinite(points) & (weight > LEAST_WEIGHT)
        points = np.where(usable, points, 0.0)
        trust = np.where(usable, weight, 0.0)
        known = np.full(len(points), UNKNOWN_SIGMA_PX)
        if sigma_px is not None:
            known = np.where(np.isfinite(sigma_px), np.clip(sigma_px, 0.0, FARTHEST_PX), known)
        known = np.hypot(known, LEAST_SIGMA_PX)
        solution = self._ordinary(points, trust, known)
        if solution is None:
            starts = self._starts(points, trust, known)
            solution = None if starts is None else self._solve(points, trust, known, *starts)
        return _unfitted(xy) if solution is None else self._fitted(xy, solution, trust, known)

    def _ordinary(
        self, points: NDArray[np.complex128], trust: NDArray[np.float64], known: NDArray[np.float64]
    ) -> _Solutions | None:
        """Least squares over all points but those that are hardly trusted and do not fit; None if others do not fit.

        A point that pulls the fit towards itself must come the closer to it: residuals are judged by their own standard
        deviations, which are smaller by the root of 1 - leverage.
        """
        kept = trust
        for _ in range(_ORDINARY_ROUNDS):
            if np.count_nonzero(kept) < 2:
                return None
            turn, _ = self._through_all(points, kept)
            size = abs(turn)
            if size < 1e-6:
                return None
            variance = (size * self._noise) ** 2 + known**2
            weight = kept / variance
            solution = self._least_squares(points, weight[None], np.array([turn]))
            if solution is None or ((solution.parameters[0] / size) ** 2 * self._precision).max() > LIKELY**2:
                return None
            freedom = np.maximum(1.0 - weight * self._variance(solution), _SMALLEST_FREEDOM)
            outside = (_squared(points - solution.shapes[0]) > OUTLIER**2 * freedom * variance) & (trust > 0.0)
            if not (outside & (kept > 0.0)).any():
                return solution
            lost = trust[outside]
            if lost.max() > HARDLY * trust.max() or lost.sum() > HARDLY * trust.sum():
                return None
            kept = np.where(outside, 0.0, trust)
        return None

    def _variance(self, solution: _Solutions) -> NDArray[np.float64]:
        """Of the places (K,) that a fit gives, per axis, as the points' own deviations let expect."""
        return np.asarray(0.5 * (self._products @ np.linalg.inv(solution.normals[0]).ravel()))

    def _starts(
        self, points: NDArray[np.complex128], trust: NDArray[np.float64], known: NDArray[np.float64]
    ) -> tuple[NDArray[np.complex128], NDArray[np.complex128]] | None:
        """The mean shape laid through two points so that it explains the others best: H of it, and their turns."""
        first, second = self._first, self._second
        turns = (points[second] - points[first]) / self._apart
        possible = (trust[first] > 0) & (trust[second] > 0) & (np.abs(turns) > 1e-6)
        if not possible.any():
            return None
        shifts = points[first] - turns * self._mean[first]
        shapes = turns[:, None] * self._mean + shifts[:, None]  # (P, K)
        apart = points - shapes
        variance = (turns.real**2 + turns.imag**2)[:, None] * self._spread**2 + known**2
        squares = (apart.real**2 + apart.imag**2) / (START_REACH**2 * variance)
        costs = np.where(possible, np.minimum(squares, 1.0) @ trust, np.inf)
        best = np.argsort(costs, kind="stable")[: min(STARTS, int(np.count_nonzero(possible)))]
        turn, shift = self._through_all(points, trust)
        if abs(turn) < 1e-6:
            return shapes[best], turns[best]
        return np.concatenate([shapes[best], (turn * self._mean + shift)[None]]), np.append(turns[best], turn)

    def _through_all(self, points: NDArray[np.complex128], trust: NDArray[np.float64]) -> tuple[complex, complex]:
        """Turn and shift of the mean shape by least squares: the best start where no point is far off."""
        share = trust / trust.sum()
        from_centre, to_centre = share @ self._mean, share @ points
        apart = self._mean - from_centre
        spread = float(share @ _squared(apart))
        turn = complex((share * apart.conj()) @ (points - to_centre)) / spread if spread > 1e-12 else 0.0
        return turn, complex(to_centre - turn * from_centre)

    def _solve(
        self,
        points: NDArray[np.complex128],
        trust: NDArray[np.float64],
        known: NDArray[np.float64],
        shapes: NDArray[np.complex128],
        turns: NDArray[np.complex128],
    ) -> _Solutions | None:
        """Least squares from every start, again and again, what lies far off losing its weight; the most likely one."""
        spread, solutions = self._spread, None
        for _ in range(_ROUNDS):
            sizes = np.abs(turns)[:, None]
            relative = _squared(points - shapes) / ((sizes * spread) ** 2 + known**2)
            cuts = (OUTLIER * _inflation(relative, trust)[:, None]) ** 2
            robust = trust * np.maximum(0.0, 1.0 - relative / cuts) ** 2
            solutions = self._least_squares(points, robust / ((sizes * self._noise) ** 2 + known**2), turns)
            if solutions is None:
                return None
            shapes, turns, spread = solutions.shapes, solutions.turns, self._noise  # the modes have been fitted
        if solutions is None:
            return None
        sizes = np.abs(turns)[:, None]
        relative = _squared(points - shapes) / ((sizes * self._noise) ** 2 + known**2)
        unlikely = (solutions.parameters / sizes) ** 2 @ self._precision
        costs = np.minimum(relative, OUTLIER**2) @ trust + unlikely
        best = slice(int(costs.argmin()), int(costs.argmin()) + 1)
        return _Solutions(shapes[best], turns[best], solutions.parameters[best], solutions.normals[best])

    def _least_squares(
        self, points: NDArray[np.complex128], weight: NDArray[np.float64], turns: NDArray[np.complex128]
    ) -> _Solutions | None:
        """Solve for all weights (H, K) at once, the points turned back as the model lies; attempts that fail are left out."""
        size = len(self._precision)
        sizes = np.abs(turns)[:, None]
        units = turns[:, None] / sizes
        normals = (weight @ self._products).reshape(-1, size, size)
        normals[:, range(size), range(size)] += self._precision / sizes**2 + _TINY
        sides = ((weight * (points * units.conj()).conj()) @ self._design).real
        try:
            parameters = np.linalg.solve(normals, sides[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            return None
        turned = (parameters[:, 0] + 1j * parameters[:, 1]) * units[:, 0]
        good = np.isfinite(parameters.sum(axis=1)) & (np.abs(turned) > 1e-6)  # others explain no point
        if not good.any():
            return None
        parameters = parameters[good]
        return _Solutions((parameters @ self._design.T) * units[good], turned[good], parameters, normals[good])

    def _fitted(
        self, xy: Points, solution: _Solutions, trust: NDArray[np.float64], known: NDArray[np.float64]
    ) -> Fitted:
        shape = solution.shapes[0]
        squares = _squared(_complex(np.where(np.isfinite(xy), xy, np.nan)) - shape)
        own = (abs(solution.turns[0]) * self._noise) ** 2
        relative: NDArray[np.float64] = squares / (own + known**2)
        inflation = float(_inflation(np.where(trust > 0, relative, 0.0)[None], trust)[0])
        of_fit = self._variance(solution)
        return Fitted(
            xy=np.stack([shape.real, shape.imag], axis=1),
            residual_px=np.sqrt(squares),
            is_inlier=relative <= (OUTLIER * inflation) ** 2,  # never of what is no number
            sigma_px=np.sqrt(own + inflation**2 * np.maximum(of_fit, 0.0)),
        )

    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs of points to start from: far enough apart in the mean shape, every point about as often."""
        count = len(self._mean)
        pairs = [(i, (i + step) % count) for step in range(1, count // 2 + 1) for i in range(count)]
        first, second = np.array(pairs, np.int64).reshape(-1, 2).T
        length = np.abs(self._mean[second] - self._mean[first])
        far = length > max(1e-6, 0.5 * float(np.median(length))) if len(length) else length > 0
        first, second = first[far], second[far]
        chosen = np.unique(np.linspace(0, max(len(first) - 1, 0), min(MOST_PAIRS, len(first))).round().astype(np.int64))
        return first[chosen], second[chosen]


def _unfitted(xy: Points) -> Fitted:
    given = np.array(xy, np.float64)
    count = len(given)
    is_number = np.isfinite(given[:, 0]) & np.isfinite(given[:, 1])
    return Fitted(given, np.where(is_number, 0.0, np.nan), is_number, np.full(count, np.nan))


def _inflation(relative: NDArray[np.float64], trust: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many times larger the standard deviations are than was said, at least 1; (H,) from squared residuals (H, K)."""
    order = np.argsort(relative, axis=1, kind="stable")
    reached = np.cumsum(trust[order], axis=1)
    middle = (reached >= 0.5 * reached[:, -1:]).argmax(axis=1)
    rows = np.arange(len(relative))
    medians = relative[rows, order[rows, middle]]
    return np.asarray(np.clip(np.sqrt(medians) / _MEDIAN_OF_RAYLEIGH, 1.0, MOST_INFLATION))


def _squared(values: NDArray[np.complex128]) -> NDArray[np.float64]:
    return values.real**2 + values.imag**2


def _complex(xy: NDArray[np.float64]) -> NDArray[np.complex128]:
    return np.ascontiguousarray(xy, np.float64).view(np.complex128)[..., 0]
