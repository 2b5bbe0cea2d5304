"""The plane that a camera measures in, from one picture of a board that lies in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calibration.board import Board
from calibration.board_view import BoardView
from calibration.bundle import Bundle, Prior, adjusted, normal, rescaled
from calibration.first_guess import first_pose
from pipeline.errors import DataError
from pipeline.lens_model import Array, Lens

_FAR_POINT = 5.0
_MANY = 30  # points of a view that are enough to say how large its own errors are
_SURPRISE = 1e-4  # how seldom a lens that is still the same would seem as changed as that


@dataclass(frozen=True, slots=True)
class PlaneFit:
    """A plane through a lens.

    Attributes:
        lens: as the view of the plane improves it.
        pose: (6,) of the board.
        covariance: (P + 6, P + 6) of both.
        residuals_px: (N, 2) of the points that were used, `view`'s.
        moved: squared distance of the lens from what was known of it, in its covariance; about as many as parameters.
        is_same_lens: whether `moved` is what chance would do.
    """

    lens: Lens
    pose: Array
    covariance: Array
    view: BoardView
    residuals_px: Array
    points_left_out: int
    moved: float
    is_same_lens: bool

    @property
    def residual_px(self) -> float:
        """Root mean square of all coordinates."""
        return float(np.sqrt((self.residuals_px**2).mean()))


def calibrate_plane(view: BoardView, board: Board, lens: Lens, covariance: Array) -> PlaneFit:
    """Where the board lies, together with the lens: what is known of it, `covariance` (P, P), and this view say it jointly.

    Raises:
        DataError: the board can be placed on no plane before the camera, or not with this lens.
    """
    pose = first_pose(lens, view)
    if pose is None:
        raise DataError("the board could not be placed before the camera", where=view.name)
    prior, free = Prior(lens.values, covariance), np.full(len(lens.values), fill_value=True)
    radius_mm = board.dot_radius_mm if board.kind == "dots" else 0.0
    bundle = Bundle(lens, (view,), (pose,), (1.0,), radius_mm)
    bundle = adjusted(replace(bundle, factors=(0.5 / float(np.median(view.sigma_px)),)), free, prior)
    bundle, lost = _near(_settled(bundle, prior), board)
    bundle = _settled(bundle, prior)
    (missing,) = bundle.residuals_px()
    if np.sqrt((missing**2).mean()) > 2.0:
        what = f"the board's points lie {np.sqrt((missing**2).mean()):.1f} px off where this lens draws them"
        raise DataError(what, where=view.name, next_command="datumd calibrate lens, if lens or focus was touched")
    off = bundle.lens.values - lens.values
    moved = float(off @ np.linalg.solve(covariance, off))
    joint = normal(bundle, free, prior).covariance
    is_same = moved < _chi_square_limit(len(off))
    return PlaneFit(bundle.lens, bundle.poses[0], joint, bundle.views[0], missing, lost, moved, is_same)


def _settled(bundle: Bundle, prior: Prior) -> Bundle:
    free = np.full(len(prior.values), fill_value=True)
    for _ in range(3):
        bundle = adjusted(rescaled(bundle, free, prior), free, prior)
    return bundle


def _near(bundle: Bundle, board: Board) -> tuple[Bundle, int]:
    """Without points that are no noise."""
    (missing,), (view,), (factor,) = bundle.residuals_px(), bundle.views, bundle.factors
    near = np.abs(missing) < _FAR_POINT * factor * view.sigma_px[:, None]
    kept = near[:, 0] & near[:, 1]
    if kept.sum() < min(_MANY, 0.5 * len(board.points_mm)):
        return bundle, 0
    return replace(bundle, views=(view.only(kept),), shifts_px=()).shifted(), int((~kept).sum())


def _chi_square_limit(freedom: int) -> float:
    """Which value chi square exceeds with the chance _SURPRISE (Wilson and Hilferty 1931, within 1 %)."""
    normal_limit = 3.719  # of the chance 1e-4
    share = 2.0 / (9.0 * freedom)
    return freedom * (1.0 - share + normal_limit * float(np.sqrt(share))) ** 3
