"""Folders of small images with masks: squares that are brighter than the belt."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

WriteImage = Callable[..., Path]


@pytest.fixture
def write_image(tmp_path: Path) -> WriteImage:
    """Writes FOLDER/NAME.png with its mask: a square of ``side`` px at x, y; none for 0. Returns tmp_path."""

    def write(
        name: str, *, x: int = 10, y: int = 8, side: int = 6, seed: int = 0, wh: tuple[int, int] = (48, 40)
    ) -> Path:
        rng = np.random.default_rng(seed)
        rough = cv2.resize(rng.uniform(40, 200, (5, 6)), wh, interpolation=cv2.INTER_CUBIC)
        mask = np.zeros((wh[1], wh[0]), np.uint8)
        mask[y : y + side, x : x + side] = 255
        file = tmp_path / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.clip(rough + 50 * (mask > 0), 0, 255).astype(np.uint8))
        cv2.imwrite(str(file.with_name(f"{file.stem}.mask.png")), mask)
        return tmp_path

    return write
