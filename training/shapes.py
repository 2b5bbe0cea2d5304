"""What the training shapes teach: the mean shape, how parts differ from it, and templates of where keypoints lie.

A shape is handled as complex numbers x + iy, so that a similarity is one product and one sum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.shape import ShapeModel
from training.method import ShapeMethod

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]
Known = NDArray[np.bool_]
_ROUNDS = 50
_FILLINGS = 20
_SMALLEST_NOISE = 1e-3  # no label is more exact than a thousandth of the part's size
_SHAPES_PER_MODE = 4  # fewer would fit noise
_MOST_SHAPES = 4000  # for templates: more change nothing and cost time
_SLACK_ROTATION, _SLACK_SCALE, _SLACK_SHIFT = np.deg2rad(3.0), 0.03, 0.02  # what a trained rectifier leaves, about


def poses(xy: Floats, known: Known, mean: Floats) -> tuple[Complex, Complex]:
    """Similarity (a, b) of each shape that carries ``mean`` onto it best: xy = a mean + b, in complex numbers.

    Least squares over the known keypoints (Procrustes). ``xy`` (S, K, 2), ``known`` (S, K), ``mean`` (K, 2). The angle
    of ``a`` is by how much the part is turned from the mean, its magnitude by how much it is larger. Where fewer than
    two distinct keypoints are known ``a`` is 1.
    """
    z, weight, m = _complex(xy, known), known.astype(np.float64), _complex(mean)
    count = np.maximum(weight.sum(1, keepdims=True), 1.0)
    at = (z * weight).sum(1, keepdims=True) / count
    mean_at = (m * weight).sum(1, keepdims=True) / count
    spread = (np.abs(m - mean_at) ** 2 * weight).sum(1)
    turned = (np.conj(m - mean_at) * (z - at) * weight).sum(1)
    a = np.where(spread > 0, turned / np.where(spread > 0, spread, 1.0), 1.0)
    a = np.where(a == 0, 1.0, a)
    return a, at[:, 0] - a * mean_at[:, 0]


def align(xy: Floats, known: Known) -> tuple[Floats, Floats]:
    """Generalised Procrustes alignment by similarities (Gower 1975); keypoints that are not known do not count.

    Args:
        xy: (S, K, 2) in any unit; whatever stands where ``known`` is False is not read.
        known: (S, K); each shape needs two keypoints, each keypoint one shape.

    Returns:
        The mean shape (K, 2), centred, of root mean square distance 1, in the mean orientation of the shapes, and the
        shapes aligned to it (S, K, 2), NaN where not known.
    """
    first = int(known.sum(1).argmax())
    mean = _seed_mean(xy, known, first)
    for _ in range(_ROUNDS):
        aligned = _onto(xy, known, mean)
        updated = _normalised(np.nanmean(aligned, axis=0))
        moved = np.abs(updated - mean).max()
        mean = updated
        if moved < 1e-10:
            break
    turn = poses(xy, known, _pairs(mean))[0]
    together = (turn / np.abs(turn)).sum()
    if abs(together) > 1e-6 * len(xy):  # parts in every direction have no mean one
        mean = mean * together / abs(together)
    aligned = _onto(xy, known, mean)
    return _pairs(mean), _pairs(aligned)


def learn_shape(xy: Floats, known: Known, keypoints: list[str], method: ShapeMethod) -> ShapeModel:
    """Point distribution model of the training shapes (Cootes et al. 1995); keypoints not known are filled by the model.

    As many modes as explain ``method.variance``, but no more than ``method.modes``, than 2 K - 4 (two keypoints always
    fit), and than one for four shapes. The noise is what is left, enlarged by the degrees of freedom that pose and
    modes took, and at least a thousandth.

    Args:
        xy: (S, K, 2) in px of equal scale along x and y.
        known: (S, K) bool. Shapes with less than half of their keypoints (or less than three) are left out.
        keypoints: their names.
        method: how many modes.

    Raises:
        DataError: there is a keypoint that no shape knows among enough others, or all lie on one point.
    """
    count = xy.shape[1]
    if count == 1:  # a point has no size: any unit will do
        return ShapeModel(list(keypoints), [(0.0, 0.0)], [], [], [_SMALLEST_NOISE])
    never = [name for index, name in enumerate(keypoints) if not known[:, index].any()]
    if never:
        raise DataError(
            "has no position in any training part", where=never[0], allowed="one in some of them, or no such keypoint"
        )
    usable = known.sum(1) >= min(count, max(3, (count + 1) // 2))
    xy, known = np.asarray(xy, np.float64)[usable], known[usable]
    missing = [name for index, name in enumerate(keypoints) if not known[:, index].any()]
    if missing:
        raise DataError(
            "is never labelled together with enough other keypoints", where=missing[0], allowed="half of them, or three"
        )
    mean, modes, deviations, left = _learnt(xy, known, method)
    taken = (4 + len(modes)) / (2 * count)
    noise = np.sqrt(left / max(1.0 - taken, 1.0 / (2 * count)))
    return ShapeModel(
        keypoints=list(keypoints),
        mean=[(float(x), float(y)) for x, y in mean],
        modes=[[(float(x), float(y)) for x, y in mode] for mode in modes],
        deviations=[float(deviation) for deviation in deviations],
        noise=[float(value) for value in np.maximum(noise, _SMALLEST_NOISE)],
    )


def mean_shape_px(shapes_px: NDArray[np.floating]) -> Floats:
    """The mean shape (K, 2) in the mean pose of ``shapes_px`` (S, K, 2) finite, in px of the same image."""
    xy: Floats = np.asarray(shapes_px, np.float64)
    if xy.shape[1] < 2:
        return np.asarray(xy.mean(axis=0))
    known = np.ones(xy.shape[:2], np.bool_)
    mean, _ = align(xy, known)
    size = float(np.exp(np.log(np.abs(poses(xy, known, mean)[0])).mean()))
    return np.asarray(mean * size + xy.mean(axis=(0, 1)))


def rectified_shapes(shapes_px: NDArray[np.floating], image_wh: tuple[int, int], seed: int) -> Floats:
    """Shapes (S, K, 2) as a network behind the rectifier sees them: in the mean pose, but for what the rectifier leaves."""
    xy: Floats = np.asarray(shapes_px, np.float64)
    mean = mean_shape_px(xy)
    a, b = poses(xy, np.ones(xy.shape[:2], np.bool_), mean)
    middle = _complex(mean).mean()
    draws = np.random.default_rng(seed).normal(size=(4, len(xy), 1))
    turn = np.exp(_SLACK_SCALE * draws[0] + 1j * _SLACK_ROTATION * draws[1])
    shift = _SLACK_SHIFT * (image_wh[0] * draws[2] + 1j * image_wh[1] * draws[3])
    upright = (_complex(xy) - b[:, None]) / a[:, None]
    return _pairs((upright - middle) * turn + middle + shift)


def templates(shapes_px: NDArray[np.floating], count: int, seed: int) -> Floats:
    """Templates (T, K, 2): ``count`` of the training shapes that represent all of them, by k-medoids.

    For squared distances the medoid of a cluster is its member nearest to the cluster's mean, so Lloyd's rounds give
    medoids at the cost of k-means. Starts are drawn as in k-means++ (Arthur and Vassilvitskii 2007) from ``seed``.

    Args:
        shapes_px: (S, K, 2) finite, in image px; a few thousand of more are drawn.
        count: lowered where there are fewer distinct shapes.
        seed: of the draws.
    """
    shapes: Floats = np.asarray(shapes_px, np.float64)
    rng = np.random.default_rng(seed)
    if len(shapes) > _MOST_SHAPES:
        shapes = shapes[np.sort(rng.choice(len(shapes), _MOST_SHAPES, replace=False))]
    flat = np.unique(shapes.reshape(len(shapes), -1), axis=0)
    centred = flat - flat.mean(0)  # keeps the expanded square exact
    chosen = _spread(centred, min(count, len(flat)), rng)
    for _ in range(_ROUNDS):
        owner = _squared(centred, centred[chosen]).argmin(1)
        owner[chosen] = np.arange(len(chosen))
        updated = np.array([_medoid(centred, np.flatnonzero(owner == index)) for index in range(len(chosen))])
        if np.array_equal(updated, chosen):
            break
        chosen = updated
    return flat[np.sort(chosen)].reshape(len(chosen), *shapes.shape[1:])


def _spread(flat: Floats, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    chosen = [int(rng.integers(len(flat)))]
    nearest = _squared(flat, flat[chosen])[:, 0]
    while len(chosen) < count:
        nearest[chosen] = 0.0
        total = nearest.sum()
        new = int(rng.choice(len(flat), p=nearest / total))
        chosen.append(new)
        nearest = np.minimum(nearest, _squared(flat, flat[[new]])[:, 0])
    return np.array(chosen)


def _medoid(flat: Floats, members: NDArray[np.int64]) -> int:
    own = flat[members]
    return int(members[np.square(own - own.mean(0)).sum(1).argmin()])


def _squared(a: Floats, b: Floats) -> Floats:
    distances = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2.0 * (a @ b.T)
    return np.asarray(np.maximum(distances, 0.0))


def _learnt(xy: Floats, known: Known, method: ShapeMethod) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean (K, 2), modes (M, K, 2), their deviations (M,), and the mean square per axis that they leave of each keypoint.

    Keypoints that are not known are told by the model so far and then aligned with the others: without them a shape
    would lie askew, and what is askew would look like a mode.
    """
    shapes, count = known.shape
    seen = np.repeat(known, 2, axis=1)
    mean, aligned = align(xy, known)
    filled = np.where(known[..., None], aligned, mean)
    for _ in range(1 if known.all() else _FILLINGS):
        mean, aligned = align(filled, np.ones_like(known))
        rows = (aligned - mean).reshape(shapes, -1)
        modes, variance, rest = _components(rows, method)
        told = _explained(rows, seen, modes, variance, rest).reshape(shapes, count, 2)
        filled = np.where(known[..., None], aligned, mean + told)
    left = np.where(seen, rows - _explained(rows, seen, modes, variance, 1e-12), 0.0)
    mean_square = np.square(left).reshape(shapes, count, 2).sum((0, 2)) / (2 * known.sum(0))
    return mean, modes.reshape(-1, count, 2), np.sqrt(variance), mean_square


def _components(rows: Floats, method: ShapeMethod) -> tuple[Floats, Floats, float]:
    """Modes (M, 2 K), their variances (M,), and the variance of each number that they leave."""
    shapes, numbers = rows.shape
    most = max(0, min(method.modes, numbers - 4, (shapes - 1) // _SHAPES_PER_MODE))
    _, singular, directions = np.linalg.svd(rows, full_matrices=False)
    variance = np.square(singular) / max(shapes - 1, 1)
    wanted = int(np.searchsorted(np.cumsum(variance), method.variance * variance.sum() - 1e-12)) + 1
    taken = min(most, wanted)
    rest = max(float(variance[taken:].sum()) / numbers, _SMALLEST_NOISE**2)
    return directions[:taken], variance[:taken], rest


def _explained(rows: Floats, seen: Known, modes: Floats, variance: Floats, noise: float) -> Floats:
    """The modes' part of each shape, its coefficients estimated from the known keypoints."""
    if not len(modes):
        return np.zeros_like(rows)
    masked = modes[None] * seen[:, None]  # (S, M, 2 K)
    normal = masked @ modes.T + noise * np.diag(1.0 / np.maximum(variance, 1e-12))
    coefficients = np.linalg.solve(normal, (masked * rows[:, None]).sum(2)[..., None])[..., 0]
    return np.asarray(coefficients @ modes)


def _seed_mean(xy: Floats, known: Known, first: int) -> Complex:
    """A start for the mean: the shape that knows most, and its missing keypoints from the shapes aligned to it."""
    mean, seen = _complex(xy[first], known[first]), known[first].copy()
    while not seen.all():
        carried = _onto(xy, known, mean, known & seen)
        new = ~seen & (known & ((known & seen).sum(1) >= 2)[:, None]).any(0)
        if not new.any():  # nothing ties them together: as they lie in the image
            new = ~seen
        for index in np.flatnonzero(new):
            mean[index] = np.nanmean(carried[:, index])
        seen |= new
    return _normalised(mean)


def _onto(xy: Floats, known: Known, mean: Complex, using: Known | None = None) -> Complex:
    a, b = poses(xy, known if using is None else using, _pairs(mean))
    return np.where(known, (_complex(xy, known) - b[:, None]) / a[:, None], complex(np.nan, np.nan))


def _normalised(mean: Complex) -> Complex:
    centred = mean - mean.mean()
    size = float(np.sqrt(np.square(np.abs(centred)).mean()))
    if size == 0:
        raise DataError("all keypoints lie on one point", where="the training shapes", allowed="keypoints apart")
    return np.asarray(centred / size)


def _complex(xy: Floats, known: Known | None = None) -> Complex:
    if known is not None:
        xy = np.where(known[..., None], xy, 0.0)
    return np.asarray(xy[..., 0] + 1j * xy[..., 1])


def _pairs(z: Complex) -> Floats:
    return np.stack((z.real, z.imag), axis=-1)
