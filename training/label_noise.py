"""How far labels are off from themselves: estimates of the standard deviation of a labelled position.

None of them knows the truth. Each names what it takes for noise of the labels, and so where it says too much; none
sees an error that is the same in every label, such as a corner that is always marked a pixel too far out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data import VISIBLE, Dataset
from training.near_duplicates import Pair

Complex = NDArray[np.complex128]
LEAST_KEYPOINTS = 3  # two are brought onto any other two by a similarity: nothing is left to look at
LEAST_PARTS = 8
_FOLDS = 10
_ROUNDS = 12  # in which a shape is pieced together
_MOST_MODES = 4
_LEAST_FREE = 0.15  # of a keypoint's residual that the fit must leave it, to be told from the fit itself
_LEAST_LEFT = 1e-3
_PER_MEDIAN = 1.4826  # standard deviations of a normal distribution in its median absolute deviation


@dataclass(frozen=True, slots=True)
class ShapeNoise:
    """What `from_shape` found.

    Attributes:
        sigma_px: (K,) standard deviation per axis in sensor px; NaN for a keypoint that is seldom labelled.
        off_px: (N, K) how far every label lies from where the others put it, corrected for what the fit absorbs; NaN
            where that cannot be told.
        modes: modes of variation that the shape was allowed.
        is_pieced: too few parts show all keypoints; the shape was put together from parts that show some of them.
    """

    sigma_px: NDArray[np.float64]
    off_px: NDArray[np.float64]
    modes: int
    is_pieced: bool = False


def from_pairs(dataset: Dataset, pairs: Sequence[Pair]) -> NDArray[np.float64]:
    """The repeatability of whoever labelled, from near-duplicates: the same thing, labelled twice.

    The second labels are laid onto the first by a similarity, which takes out how the camera moved. Valid for parts
    that bend, too, as long as they did not move between the two images; it says too much where they did, and too
    little where the second labels were copied from the first.

    Args:
        dataset: the labelled set.
        pairs: of `training.near_duplicates.find`.

    Returns:
        (K,) robust standard deviation per axis in sensor px of the first image of each pair; NaN for all if there are
        fewer than LEAST_KEYPOINTS keypoints, and for a keypoint in fewer than LEAST_PARTS pairs.
    """
    points, seen = _points(dataset)
    off = np.full((len(pairs), len(dataset.keypoints), 2), np.nan)
    for row, pair in enumerate(pairs):
        use = seen[pair.a] & seen[pair.b]
        if use.sum() < LEAST_KEYPOINTS:
            continue
        second = points[pair.b][use]
        design = _pose_columns(second - second.mean())
        size = _rms(points[pair.a][use]) / _rms(second)  # the noise of the second is scaled with it
        off[row, use] = _fit(design, points[pair.a][use]).corrected() / np.hypot(1.0, size)
    return _spreads(off)


def from_shape(dataset: Dataset) -> ShapeNoise | None:
    """An upper bound for rigid parts: how far a label lies from where the part's other labels put it.

    A mean shape and a few modes of variation (Procrustes and principal components; Cootes et al. 1995) are learnt from
    nine tenths of the complete parts and fitted with a similarity to each part of the last tenth. The residual is
    corrected for what the fit takes up by itself. Perspective, bending and parts that differ in more ways than the
    modes can follow count as noise: not valid for parts that move in themselves. With three or four keypoints, the
    noise of one is partly found in the others. Where fewer than LEAST_PARTS parts are complete, one mean shape is pieced
    together from parts that show LEAST_KEYPOINTS or more; without modes, which such parts do not tell apart from noise.

    Returns:
        None where there is nothing to go by: fewer than LEAST_PARTS parts on which LEAST_KEYPOINTS are visible.
    """
    points, seen = _points(dataset)
    complete, usable = np.flatnonzero(seen.all(1)), np.flatnonzero(seen.sum(1) >= LEAST_KEYPOINTS)
    if len(usable) < LEAST_PARTS:
        return None
    is_pieced = len(complete) < LEAST_PARTS
    most = 0 if is_pieced else _most_modes(points.shape[1], len(complete))
    learnt = usable if is_pieced else complete
    fits = [_held_out(points, seen, learnt, modes) for modes in range(1 + most)]
    chosen = int(np.argmin([fit.missed for fit in fits]))
    return ShapeNoise(_spreads(fits[chosen].off), np.linalg.norm(fits[chosen].off, axis=2), chosen, is_pieced)


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Residuals (N, K, 2) in px; ``missed`` is how far off a keypoint is, typically, predicted from the others, squared.

    A mode that follows the noise of one keypoint makes the residuals smaller but the predictions worse.
    """

    off: NDArray[np.float64]
    missed: float


def _most_modes(keypoints: int, parts: int) -> int:
    return min(_MOST_MODES, (2 * keypoints - 4) // 4, parts // 10)


def _held_out(points: Complex, seen: NDArray[np.bool_], learnt: NDArray[np.intp], modes: int) -> _HeldOut:
    """Fit the shape of nine tenths of the ``learnt`` parts to the last tenth, and so on round."""
    off = np.full((*points.shape, 2), np.nan)
    missed = np.full(points.shape, np.nan)
    for fold in range(_FOLDS):
        others = learnt[learnt % _FOLDS != fold]
        mean, axes = _shape(points[others], modes) if seen[others].all() else _pieced(points[others], seen[others])
        for index in range(fold, len(points), _FOLDS):
            use = seen[index] & np.isfinite(mean)
            if 2 * use.sum() > 4 + modes:
                fit, px = _off_shape(points[index][use], mean[use], axes[:, use])
                off[index, use] = fit.corrected() * px
                missed[index, use] = fit.predicted() * px
    typical = [np.median(column[np.isfinite(column)]) for column in missed.T if np.isfinite(column).any()]
    return _HeldOut(off, float(np.mean(np.square(typical))) if typical else np.inf)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Residuals (n, 2) of a least squares fit, and the share (n, 2, 2) of its own variance that each point is left with."""

    residual: NDArray[np.float64]
    left: NDArray[np.float64]

    def corrected(self) -> NDArray[np.float64]:
        """Residuals (n, 2) as large as they would be had the fit not followed them; NaN where it follows nearly all."""
        free = np.trace(self.left, axis1=1, axis2=2)[:, None] / 2
        return np.where(free >= _LEAST_FREE, self.residual / np.sqrt(np.maximum(free, _LEAST_FREE)), np.nan)

    def predicted(self) -> NDArray[np.float64]:
        """(n,) how far each point is from where a fit to the others alone puts it."""
        left = self.left + _LEAST_LEFT * np.eye(2)  # a point that the others say nothing of
        off: NDArray[np.float64] = np.linalg.norm(np.linalg.solve(left, self.residual[..., None])[..., 0], axis=1)
        return off


def _points(dataset: Dataset) -> tuple[Complex, NDArray[np.bool_]]:
    """Positions x + iy (N, K), 0 where not visible, and whether they are visible: hidden ones are guesses."""
    xy = np.stack([part.xy_sensor_px for part in dataset.parts])
    seen = (np.stack([part.state for part in dataset.parts]) == VISIBLE) & np.isfinite(xy).all(2)
    return np.where(seen, xy[..., 0] + 1j * xy[..., 1], 0), seen


def _shape(points: Complex, modes: int) -> tuple[Complex, Complex]:
    """Mean (K,) and modes (M, K) of complete parts (N, K), the mean centred and of root mean square 1."""
    centred = points - points.mean(1, keepdims=True)
    power = (np.abs(centred) ** 2).sum(1, keepdims=True)
    centred, power = centred[power[:, 0] > 0], power[power[:, 0] > 0]
    mean = centred[0] / _rms(centred[0])
    for _ in range(5):
        aligned = centred * ((centred.conj() @ mean)[:, None] / power)
        mean = aligned.mean(0)
        mean = mean / _rms(mean)
    varied = aligned - mean
    axes = np.linalg.svd(np.hstack((varied.real, varied.imag)), full_matrices=False)[2][:modes]
    return mean, axes[:, : len(mean)] + 1j * axes[:, len(mean) :]


def _pieced(points: Complex, seen: NDArray[np.bool_]) -> tuple[Complex, Complex]:
    """Mean (K,) of parts (N, K) that show some keypoints each, and no modes (0, K); NaN where nothing links to the others.

    It begins with a part that shows what most show. Those that share two keypoints or more with what is known by then are laid
    onto that and bring the rest of theirs.
    """
    first = int((seen @ seen.sum(0)).argmax())
    mean = np.where(seen[first], points[first] - points[first, seen[first]].mean(), np.nan)
    for _ in range(_ROUNDS):
        aligned = np.full(points.shape, np.nan, np.complex128)
        for row, (part, use) in enumerate(zip(points, seen & np.isfinite(mean), strict=True)):
            centred = part - part[use].mean() if use.sum() > 1 else part
            power = float((np.abs(centred[use]) ** 2).sum())
            if use.sum() > 1 and power > 0.0:
                target = mean[use].mean()
                turn = np.vdot(centred[use], mean[use] - target) / power
                aligned[row, seen[row]] = turn * centred[seen[row]] + target
        counts = np.isfinite(aligned).sum(0)
        mean = np.where(counts > 0, np.nansum(aligned, axis=0) / np.maximum(counts, 1), np.nan)
        known = mean[np.isfinite(mean)]
        mean = (mean - known.mean()) / _rms(known)
    return mean, np.empty((0, len(mean)), np.complex128)


def _off_shape(points: Complex, mean: Complex, axes: Complex) -> tuple[_Fit, float]:
    """The shape in the pose and the modes that fit points (n,) best, in its own unit, and that unit in px."""
    centred = mean - mean.mean()
    turn = complex(np.vdot(centred, points - points.mean()) / np.vdot(centred, centred).real)
    turn = turn if abs(turn) > 1e-9 else 1 + 0j
    design = np.column_stack((_pose_columns(centred), *(_column(axis) for axis in axes)))
    return _fit(design, (points - points.mean()) / turn), abs(turn)


def _pose_columns(points: Complex) -> NDArray[np.float64]:
    """The four ways (2n, 4) in which a similarity moves points: x, y, larger, turned."""
    one = np.ones(len(points))
    return np.column_stack([_column(column) for column in (one, 1j * one, points, 1j * points)])


def _column(points: NDArray[np.complexfloating] | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate((points.real, points.imag))


def _fit(design: NDArray[np.float64], points: Complex) -> _Fit:
    basis = np.linalg.qr(design)[0]
    target = _column(points)
    residual = (target - basis @ (basis.T @ target)).reshape(2, -1).T
    of_point = basis.reshape(2, -1, basis.shape[1]).transpose(1, 0, 2)  # (n, 2, columns)
    return _Fit(residual, np.eye(2) - of_point @ of_point.transpose(0, 2, 1))


def _rms(points: Complex) -> float:
    return float(np.sqrt((np.abs(points - points.mean()) ** 2).mean()))


def _spreads(off: NDArray[np.float64]) -> NDArray[np.float64]:
    known = [off[np.isfinite(off[:, k]).all(1), k] for k in range(off.shape[1])]
    return np.array([_spread(rows) if len(rows) >= LEAST_PARTS else np.nan for rows in known])


def _spread(rows: NDArray[np.float64]) -> float:
    """Robust standard deviation per axis of (N, 2) about 0."""
    return _PER_MEDIAN * float(np.median(np.abs(rows)))
