"""A lens from views of a board: its parameters with their covariance, and which views do not belong.

Zhang, A Flexible New Technique for Camera Calibration (2000), finished by a robust bundle adjustment. The uncertainty
comes from the Jacobian, with the noise from the residuals: it is honest for what scatters from point to point and view to
view, and knows nothing of a board that is longer than it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.board import Board
from calibration.board_view import LEAST_POINTS, BoardView
from calibration.bundle import Bundle, adjusted, normal, rescaled
from calibration.first_guess import first_lenses, first_pose
from pipeline.errors import DataError
from pipeline.lens_model import LENSES, Array, Lens

LEAST_VIEWS = 4
_FAR_POINT = 5.0  # sigmas: not noise
_BAD_VIEW = 4.0  # times the usual error of a view
_LEAST_BAD_PX = 0.1  # a view whose errors are smaller is no outlier, however good the others are
_MOST_BAD = 1 / 3  # of the views: more, and the good ones cannot be told from the bad
_FIRST_SIGMA_PX = 0.5


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A view that does not fit, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class LensFit:
    """A calibrated lens.

    Attributes:
        model: key in LENSES.
        bundle: the lens with the views that were used, their poses, and the factor of their errors.
        covariance: (P, P) of the lens's parameters.
        left_out: views that were not used.
        points_left_out: points of used views that were not.
    """

    model: str
    image_wh: tuple[int, int]
    bundle: Bundle
    covariance: Array
    left_out: tuple[LeftOut, ...]
    points_left_out: int

    @property
    def lens(self) -> Lens:
        """What draws."""
        return self.bundle.lens

    @property
    def sigmas(self) -> Array:
        """Standard deviation of each parameter."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def residual_px(self) -> float:
        """Root mean square of all coordinates."""
        return _rms(self.bundle.residuals_px())

    @property
    def view_residuals_px(self) -> dict[str, float]:
        """The same for each view that was used."""
        views = zip(self.bundle.views, self.bundle.residuals_px(), strict=True)
        return {view.name: _rms([missing]) for view, missing in views}


def calibrate_lens(views: Sequence[BoardView], board: Board, model: str = "brown") -> LensFit:
    """Fit a lens of a model in LENSES.

    Raises:
        DataError: too few views, of different sizes, or no lens of this model draws them.
    """
    sizes = {view.image_wh for view in views}
    if len(sizes) > 1:
        raise DataError(f"pictures of {' and '.join(f'{w} x {h}' for w, h in sorted(sizes))} px", allowed="one size")
    if len(views) < LEAST_VIEWS:
        raise DataError(f"{len(views)} views of the board", allowed=f"{LEAST_VIEWS} or more, 10 to 20 for good")
    image_wh = sizes.pop()
    radius_mm = board.dot_radius_mm if board.kind == "dots" else 0.0
    bundle = _started(model, image_wh, tuple(views), radius_mm)
    free = np.ones(len(LENSES[model].names), bool)
    left_out: list[LeftOut] = [
        LeftOut(v.name, "the board could not be placed") for v in views if v.name not in _names(bundle)
    ]
    while True:
        bundle = adjusted(rescaled(bundle, free), free)
        worst = _worst(bundle)
        if worst is None:
            break
        left_out.append(worst)
        if len(left_out) > _MOST_BAD * len(views) or len(bundle.views) - 1 < LEAST_VIEWS:
            names = ", ".join(f"{one.name} ({one.why})" for one in left_out)
            raise DataError(
                f"too many views do not fit the others: {names}", allowed="other pictures, or another model"
            )
        bundle = _only(bundle, [view.name != worst.name for view in bundle.views])
    bundle, lost = _without_far_points(bundle, free)
    for _ in range(2):
        bundle = adjusted(rescaled(bundle, free), free)
    covariance = normal(bundle, free).covariance[: len(free), : len(free)]
    return LensFit(model, image_wh, bundle, covariance, tuple(left_out), lost)


def _started(model: str, image_wh: tuple[int, int], views: tuple[BoardView, ...], radius_mm: float) -> Bundle:
    """The bundle from whichever start ends with the least error. Raises DataError where none does."""
    best: tuple[float, Bundle] | None = None
    for lens in first_lenses(model, image_wh, views):
        bundle = _posed(Bundle(lens, (), (), (), radius_mm), views)
        if len(bundle.views) < LEAST_VIEWS:
            continue
        for free in _stages(model):
            bundle = adjusted(bundle, free)
        cost = float(np.median([_rms([missing]) for missing in bundle.residuals_px()]))
        if np.isfinite(cost) and (best is None or cost < best[0]):
            best = cost, bundle
        if cost < 0.5 * _FIRST_SIGMA_PX:
            break
    if best is None or best[0] > 5.0:
        what = f"no lens of the model {model} draws these views"
        raise DataError(what, allowed="another --model, or check --board", where="lens")
    return _posed(best[1], views)


def _posed(bundle: Bundle, views: Sequence[BoardView]) -> Bundle:
    """The bundle with those of `views` that are not in it and can be placed through its lens as it stands."""
    there = _names(bundle)
    new = [(v, pose) for v in views if v.name not in there and (pose := first_pose(bundle.lens, v)) is not None]
    longer = replace(
        bundle,
        views=(*bundle.views, *(view for view, _ in new)),
        poses=(*bundle.poses, *(pose for _, pose in new)),
        factors=(*bundle.factors, *(_FIRST_SIGMA_PX / float(np.median(view.sigma_px)) for view, _ in new)),
        shifts_px=(),
    )
    return longer.shifted()


def _stages(model: str) -> list[NDArray[np.bool_]]:
    """Which parameters are looked for, more from stage to stage: all at once may run away."""
    names = LENSES[model].names
    first = {"fx", "fy", "k1"}
    return [np.isin(names, list(first)), np.ones(len(names), bool)]


def _worst(bundle: Bundle) -> LeftOut | None:
    """The view that fits worst, if it does not belong with the others."""
    residuals = np.array([_usual(missing) for missing in bundle.residuals_px()])  # one far point is no bad view
    number = int(np.argmax(residuals))
    usual = float(np.median(residuals))
    if residuals[number] <= max(_BAD_VIEW * usual, _LEAST_BAD_PX):
        return None
    return LeftOut(bundle.views[number].name, f"{residuals[number]:.2f} px off, the others {usual:.3f}")


def _without_far_points(bundle: Bundle, free: NDArray[np.bool_]) -> tuple[Bundle, int]:
    bundle = adjusted(rescaled(bundle, free), free)
    views, lost = [], 0
    for view, missing, factor in zip(bundle.views, bundle.residuals_px(), bundle.factors, strict=True):
        near = np.abs(missing) < _FAR_POINT * factor * view.sigma_px[:, None]
        kept = near[:, 0] & near[:, 1]
        if kept.sum() < LEAST_POINTS:
            kept = np.full(len(near), fill_value=True)
        lost += int((~kept).sum())
        views.append(view.only(kept))
    return replace(bundle, views=tuple(views), shifts_px=()).shifted(), lost


def _only(bundle: Bundle, kept: Sequence[bool]) -> Bundle:
    together = list(zip(bundle.views, bundle.poses, bundle.factors, strict=True))
    views, poses, factors = zip(*[one for one, keep in zip(together, kept, strict=True) if keep], strict=True)
    return replace(bundle, views=views, poses=poses, factors=factors, shifts_px=()).shifted()


def _names(bundle: Bundle) -> set[str]:
    return {view.name for view in bundle.views}


def _usual(missing: Array) -> float:
    """Standard deviation as the middle half of all coordinates tells it."""
    return 1.4826 * float(np.median(np.abs(missing)))


def _rms(residuals: Sequence[Array]) -> float:
    return float(np.sqrt(np.mean(np.concatenate([missing.ravel() for missing in residuals]) ** 2)))
