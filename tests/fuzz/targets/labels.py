"""What holds of every labelled set that was read, whatever it was read from."""

from pathlib import Path

import cv2
import numpy as np

from training.data import HIDDEN, MISSING, VISIBLE, Dataset

WH = (64, 48)


def images(folder: Path) -> None:
    """Make the images 000.png and 001.png, once."""
    for name in ("000.png", "001.png"):
        if not (folder / name).exists():
            cv2.imwrite(str(folder / name), np.zeros(WH[::-1], np.uint8))


def checked(dataset: Dataset, folder: Path) -> None:
    """Assert that a set read from below `folder` can be worked with."""
    assert dataset.parts
    assert len(set(dataset.keypoints)) == len(dataset.keypoints) > 0
    for part in dataset.parts:
        assert part.image.resolve().is_relative_to(folder.resolve()), part.image
        assert part.image_wh == WH
        assert np.isfinite(part.box).all()
        assert np.isin(part.state, (VISIBLE, HIDDEN, MISSING)).all()
        known = np.isfinite(part.xy_sensor_px).all(axis=1)
        assert (known | (part.state == MISSING)).all()
        seen = part.xy_sensor_px[part.state == VISIBLE]
        assert ((seen >= -0.5) & (seen <= np.array(WH) - 0.5)).all(), seen
