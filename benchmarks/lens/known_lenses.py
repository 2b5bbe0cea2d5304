"""The lenses that are calibrated: strong barrel distortion, a fisheye, a telecentric lens with a bent picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from calibration.board import Board
from calibration.rehearsal import BOARD
from pipeline.lens_model import Array, Lens, make_lens
from pipeline.plane_map import PlaneMap

IMAGE_WH = (640, 480)
_LEAST_POINTS = 24


@dataclass(frozen=True, slots=True)
class KnownLens:
    """A lens of which everything is known.

    Attributes:
        model: key in LENSES.
        tilt: of the board, radians at most to each side.
        wide: shares of the picture's width that the board takes.
        reach: how far from the picture's rim the board's middle stays, as a share of its sides.
    """

    name: str
    model: str
    lens: Lens
    tilt: float
    wide: tuple[float, float]
    board: Board = BOARD
    reach: float = 0.1
    image_wh: tuple[int, int] = IMAGE_WH

    def view_pose(self, rng: np.random.Generator) -> Array:
        """A view by chance that shows enough of the board."""
        while True:
            aim = rng.uniform(self.reach, 1.0 - self.reach, 2) * IMAGE_WH
            turn = np.append(rng.uniform(-self.tilt, self.tilt, 2), rng.uniform(-0.4, 0.4))
            pose = self._pose(turn, aim, rng.uniform(*self.wide))
            xy = PlaneMap(self.lens, pose).to_px(self.board.points_mm)
            seen = ((xy > 9) & (xy < (IMAGE_WH[0] - 10, IMAGE_WH[1] - 10))).all(axis=1)
            if seen.all() if self.board.kind == "dots" else seen.sum() >= _LEAST_POINTS:
                return pose

    def plane_pose(self, rng: np.random.Generator) -> Array:
        """Nearly straight before the camera, as where parts are measured."""
        aim = np.array(IMAGE_WH) / 2 + rng.uniform(-10, 10, 2)
        return self._pose(rng.uniform(-0.1, 0.1, 3), aim, self.wide[1])

    def _pose(self, turn: Array, aim_px: Array, wide: float) -> Array:
        rotation = np.asarray(cv2.Rodrigues(turn)[0], np.float64)
        middle_mm = np.array(self.board.size_mm) / 2
        if self.model == "affine":
            across = rotation[:2, :2] * wide * IMAGE_WH[0] / self.board.size_mm[0]
            return np.concatenate([across.ravel(), aim_px - across @ middle_mm])
        near = self.lens.near_mm(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0]), aim_px[None], 0.0)[0]
        if self.model == "fisheye":  # at the rim of a wide picture a board faces the camera, or nothing of it is seen
            axis, beside = np.array([-near[1], near[0], 0.0]), float(np.hypot(*near))
            facing = np.asarray(cv2.Rodrigues(axis / max(beside, 1e-9) * np.arctan(beside))[0], np.float64)
            rotation = facing @ rotation
            turn = np.asarray(cv2.Rodrigues(rotation)[0], np.float64).ravel()
        far_mm = float(self.lens.values[0]) / IMAGE_WH[0] * self.board.size_mm[0] / wide
        place = np.append(near, 1.0) * far_mm / (np.hypot(1.0, np.hypot(*near)) if self.model == "fisheye" else 1.0)
        return np.concatenate([turn, place - rotation @ np.append(middle_mm, 0.0)])


BROWN = KnownLens(
    "brown, strong barrel distortion",
    "brown",
    make_lens("brown", np.array([620.0, 621.5, 326.0, 235.0, -0.32, 0.12, 0.0008, -0.0005, -0.02]), IMAGE_WH),
    0.6,
    (0.55, 0.9),
)
FISHEYE = KnownLens(
    "fisheye",
    "fisheye",
    make_lens("fisheye", np.array([330.0, 331.0, 322.0, 238.0, -0.02, 0.01, -0.005, 0.001]), IMAGE_WH),
    0.5,
    (0.6, 0.9),
    Board("charuco", 8, 6, 12.0),
)
AFFINE = KnownLens(
    "affine, by dots",
    "affine",
    make_lens("affine", np.array([-0.03, 0.008, 0.001, -0.0015]), IMAGE_WH),
    0.15,
    (0.45, 0.75),
    Board("dots", 10, 7, 10.0),
    0.3,
)
