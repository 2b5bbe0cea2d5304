"""A drawn plate with four features that can be told apart, put anywhere on a noisy ground."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Matrix, apply

NAMES = ("hole", "slot", "tip", "corner")
XY = np.array([(70.0, 60.0), (150.0, 110.0), (205.0, 60.0), (40.0, 130.0)])  # on the plate, in px
WH = (320, 240)
Picture = NDArray[np.uint8]


def plate(turn_deg: float = 0.0, scale: float = 1.0, at: tuple[float, float] = (160.0, 120.0)) -> Matrix:
    """image_from_plate: the plate's middle lies at ``at``."""
    cos, sin = scale * np.cos(np.radians(turn_deg)), scale * np.sin(np.radians(turn_deg))
    x, y = 120.0, 95.0
    return np.array([[cos, -sin, at[0] - cos * x + sin * y], [sin, cos, at[1] - sin * x - cos * y], [0.0, 0.0, 1.0]])


def photograph(matrix: Matrix, seed: int, *, gain: float = 1.0, covered: tuple[float, float] | None = None) -> Picture:
    """Grey (240, 320); `covered` is where a dark disc lies, in px of the image."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros((190, 240), np.uint8)
    cv2.fillPoly(drawn, [np.array([(40, 40), (200, 40), (220, 60), (200, 80), (200, 150), (60, 150), (40, 130)])], 150)
    cv2.circle(drawn, (70, 60), 10, 40, cv2.FILLED)
    cv2.line(drawn, (140, 110), (160, 110), 60, 9)
    cv2.putText(drawn, "D7", (95, 90), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 210, 2)
    over = cv2.warpAffine(drawn.astype(np.float32), matrix[:2], WH, flags=cv2.INTER_LINEAR)
    mask = cv2.warpAffine((drawn > 0).astype(np.float32), matrix[:2], WH, flags=cv2.INTER_LINEAR)
    image = over + (1.0 - mask) * 55.0
    if covered is not None:
        cv2.circle(image, (round(covered[0]), round(covered[1])), 24, 20.0, cv2.FILLED)
    return np.clip(gain * cv2.GaussianBlur(image, (0, 0), 0.8) + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def points_at(matrix: Matrix) -> NDArray[np.float64]:
    """The four features in px of the image, pixel centres at integers."""
    return apply(matrix, XY)


def write_photographs(folder: Path, count: int) -> list[Matrix]:
    """000.png … with the plate turned and moved at will; 000.png is upright, points.json beside the folder marks it."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    poses = [plate()]
    poses += [plate(rng.uniform(-170, 170), 1.0, tuple(rng.uniform((140, 105), (180, 135)))) for _ in range(count - 1)]
    for index, pose in enumerate(poses):
        cv2.imwrite(str(folder / f"{index:03d}.png"), photograph(pose, index))
    each = zip(NAMES, points_at(poses[0]).tolist(), strict=True)
    marked = {"image": "000.png", "part": "plate", "points": [{"name": name, "x": x, "y": y} for name, (x, y) in each]}
    (folder.parent / "points.json").write_text(json.dumps(marked))
    return poses
