"""Cameras with known lenses calibrated from rendered boards, over and over: whether what is said of the sigmas is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.lens.known_lenses import KnownLens
from calibration.board_view import BoardView, find_board
from calibration.lens import calibrate_lens
from calibration.plane import calibrate_plane
from calibration.rehearsal import seen_board
from pipeline.lens_model import Array
from pipeline.plane_map import PlaneMap

VIEWS = 8
_LIMITS_95 = {2: 5.991, 4: 9.488, 8: 15.507, 9: 16.919}  # of chi square, by degrees of freedom
_GRID = (7, 5)


@dataclass(frozen=True, slots=True)
class LensRuns:
    """What so many calibrations of one lens came to.

    Attributes:
        within_3: by parameter the share of runs in which it lies within three of its stated sigmas.
        region_95: share of the runs in which all parameters together lie in their stated 95 % region.
        mapped_95: share of mapped points, over a grid and all runs, that lie in theirs.
        systematic_px: largest mean error of a place of the grid, px.
        scatter_px, stated_px: root mean square of mapped points' errors, and of their stated sigmas, px.
    """

    name: str
    runs: int
    within_3: dict[str, float]
    region_95: float
    mapped_95: float
    systematic_px: float
    scatter_px: float
    stated_px: float


@dataclass(frozen=True, slots=True)
class LensRun:
    """One calibration: errors in sigmas (P,), its squared distance, errors of the grid (G, 2) px, whether each is covered."""

    sigmas_off: Array
    distance: float
    off_px: Array
    stated_px: Array
    is_covered: Array


def calibrate_often(known: KnownLens, runs: int) -> LensRuns:
    """Render views of a board by chance, find it, fit lens and plane, and compare with what was rendered, `runs` times."""
    return summary(known, [run(known, number) for number in range(runs)])


def summary(known: KnownLens, done: Sequence[LensRun]) -> LensRuns:
    """What runs came to."""
    names = known.lens.names
    near = np.mean([np.abs(one.sigmas_off) <= 3.0 for one in done], axis=0)
    limit = _LIMITS_95[len(names)]
    off_px = np.array([one.off_px for one in done])
    return LensRuns(
        name=known.name,
        runs=len(done),
        within_3=dict(zip(names, near.tolist(), strict=True)),
        region_95=float(np.mean([one.distance <= limit for one in done])),
        mapped_95=float(np.mean([one.is_covered for one in done])),
        systematic_px=float(np.abs(off_px.mean(axis=0)).max()),
        scatter_px=float(np.sqrt((off_px**2).mean())),
        stated_px=float(np.sqrt(np.mean([one.stated_px**2 for one in done]))),
    )


def run(known: KnownLens, number: int) -> LensRun:
    """One calibration, of views and noise by chance; the same number gives the same."""
    rng = np.random.default_rng(number)
    views: list[BoardView] = []
    while len(views) < VIEWS:
        pose = known.view_pose(rng)
        view = find_board(
            known.board, f"view {len(views)}", seen_board(known.lens, pose, known.image_wh, rng, board=known.board)
        )
        views += [view] if view is not None else []
    fit = calibrate_lens(views, known.board, known.model)
    off = fit.lens.values - known.lens.values
    distance = float(off @ np.linalg.solve(fit.covariance, off))
    true_pose = known.plane_pose(rng)
    seen = find_board(known.board, "plane", seen_board(known.lens, true_pose, known.image_wh, rng, board=known.board))
    if seen is None:
        raise RuntimeError("the board in the plane was not found")
    plane = calibrate_plane(seen, known.board, fit.lens, fit.covariance)
    count = len(off) + 6
    covariance = np.zeros((count + 2, count + 2))
    covariance[:count, :count] = plane.covariance
    return _compared(
        PlaneMap(plane.lens, plane.pose, covariance), PlaneMap(known.lens, true_pose), known, off / fit.sigmas, distance
    )


def _compared(found: PlaneMap, true: PlaneMap, known: KnownLens, sigmas_off: Array, distance: float) -> LensRun:
    """Points of a grid over the picture, mapped by both."""
    sides = [np.linspace(0.05, 0.95, count) * side for count, side in zip(_GRID, known.image_wh, strict=True)]
    grid = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
    off_mm = found.to_mm(grid) - true.to_mm(grid)
    blocks = found.covariance_mm2(grid).reshape(len(grid), 2, len(grid), 2)
    own = blocks[np.arange(len(grid)), :, np.arange(len(grid)), :]
    squared = np.einsum("ni,nij,nj->n", off_mm, np.linalg.inv(own), off_mm)
    px_by_mm = np.linalg.inv(true.jacobian(grid))
    off_px = np.einsum("nij,nj->ni", px_by_mm, off_mm)
    stated = np.einsum("nij,njk,nik->ni", px_by_mm, own, px_by_mm)
    return LensRun(sigmas_off, distance, off_px, np.sqrt(stated), squared <= _LIMITS_95[2])
