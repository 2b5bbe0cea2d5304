"""Which views of the board there are, and which one is missing most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board_view import BoardView
from calibration.first_guess import first_pose
from pipeline.lens_model import Array, make_lens

ENOUGH_VIEWS = 12
_CELLS_WH = (6, 5)
_ENOUGH_CELLS = 0.9  # of them: a round picture, as of a fisheye, has empty corners
_TILT = 0.25  # sine: 15 degrees
_SAME_TILT, _SAME_PLACE = 0.12, 0.04  # less than that, the place of the image's diagonal, is no new view
_NOMINAL = 1.2  # focal length over the image's longer side, good enough to tell which side is nearer
_SIDES = {
    (0, 1): "its right side nearer to the camera",
    (0, -1): "its left side nearer to the camera",
    (1, 1): "its lower side nearer to the camera",
    (1, -1): "its upper side nearer to the camera",
}


@dataclass(frozen=True, slots=True)
class Coverage:
    """What views have shown.

    Attributes:
        cells: (5, 6) how many points were seen in each part of the picture.
        tilts: (N, 2) x and y of the board's normal in each view: sines of its tilt.
        needs_tilt: False for parallel projection, in which a tilted view says nothing of the lens.
    """

    cells: NDArray[np.int64]
    tilts: Array
    needs_tilt: bool

    @property
    def share(self) -> float:
        """Of the picture's parts that points were seen in."""
        return float((self.cells > 0).mean())

    def missing(self) -> list[str]:
        """What the next views should show, what matters most first; empty where there is enough."""
        wanted = []
        if self.share < _ENOUGH_CELLS:
            wanted.append(f"the board {_where(self.cells == 0)}")
        if self.needs_tilt:
            for (axis, sign), side in _SIDES.items():
                if not (sign * self.tilts[:, axis] > _TILT).any():
                    wanted.append(f"the board tilted by 20 to 40 degrees, {side}")
        if not wanted and len(self.tilts) < ENOUGH_VIEWS:
            wanted.append(f"{ENOUGH_VIEWS - len(self.tilts)} more, as different from the others as can be")
        return wanted


def coverage(views: Sequence[BoardView], model: str) -> Coverage:
    """What these views, one at least, have shown."""
    width, height = views[0].image_wh
    points = np.concatenate([view.xy_sensor_px for view in views])
    columns, rows = _CELLS_WH
    edges = [np.linspace(-0.5, height - 0.5, rows + 1), np.linspace(-0.5, width - 0.5, columns + 1)]
    cells = np.histogram2d(points[:, 1], points[:, 0], bins=edges)[0].astype(np.int64)
    return Coverage(cells, np.array([tilt(view) for view in views]), model != "affine")


def tilt(view: BoardView) -> tuple[float, float]:
    """X and y of the board's normal, roughly; 0, 0 where its tilt cannot be told."""
    width, height = view.image_wh
    focal_px = _NOMINAL * max(width, height)
    lens = make_lens("brown", np.array([focal_px, focal_px, width / 2, height / 2, *[0.0] * 5]), view.image_wh)
    pose = first_pose(lens, view)
    if pose is None:
        return 0.0, 0.0
    normal = np.asarray(cv2.Rodrigues(pose[:3])[0])[:, 2]
    return float(normal[0]), float(normal[1])


def is_new(view: BoardView, kept: Sequence[BoardView]) -> bool:
    """Whether a view shows what none of the kept ones does."""
    return not any(_is_same(view, other) for other in kept)


def moved_px(view: BoardView, other: BoardView) -> float:
    """How far the points that both show lie apart, their median; infinite where they share less than half."""
    mine = {tuple(point): number for number, point in enumerate(np.round(view.points_mm, 6).tolist())}
    both = [
        (mine[key], n) for n, point in enumerate(np.round(other.points_mm, 6).tolist()) if (key := tuple(point)) in mine
    ]
    if len(both) < len(view.points_mm) / 2:
        return float("inf")
    here, there = np.array(both).T
    return float(np.median(np.linalg.norm(view.xy_sensor_px[here] - other.xy_sensor_px[there], axis=1)))


def _is_same(view: BoardView, other: BoardView) -> bool:
    is_near = moved_px(view, other) < _SAME_PLACE * float(np.hypot(*view.image_wh))
    return is_near and float(np.hypot(*np.subtract(tilt(view), tilt(other)))) < _SAME_TILT


def _where(empty: NDArray[np.bool_]) -> str:
    """Where most of the empty parts of the picture are, in words."""
    rows, columns = (np.array_split(np.arange(size), 3) for size in empty.shape)
    counts = {(r, c): int(empty[np.ix_(rows[r], columns[c])].sum()) for r in range(3) for c in range(3)}
    row, column = max(counts, key=lambda place: counts[place])
    down, across = ("upper", "middle", "lower")[row], ("left", "middle", "right")[column]
    if row == column == 1:
        return "in the middle of the picture"
    side = {"upper": "at the top", "middle": "", "lower": "at the bottom"}[down]
    return (
        " ".join(filter(None, [side, {"middle": "in the middle"}.get(across, f"at the {across}")])) + " of the picture"
    )
