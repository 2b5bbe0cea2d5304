from pathlib import Path

import numpy as np
import pytest

from calibration.sigma import calibrate_sigma
from calibration.visibility import calibrate
from training.reliability import draw_visibility
from training.sigma_diagram import draw_sigma


def is_picture(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("parts", "keypoints"), [(1, 1), (12, 42)])
def test_pictures_are_drawn_of_few_parts_and_of_many_keypoints(tmp_path: Path, parts: int, keypoints: int) -> None:
    rng = np.random.default_rng(0)
    names = [f"keypoint_{index}" for index in range(keypoints)]
    state = rng.choice([2, 2, 2, 1, 0], (parts, keypoints)).astype(np.int8)
    state[:, 0] = 2
    margin = rng.normal(np.where(state == 2, 3.0, -3.0), 20.0)
    thresholds = calibrate(margin, state == 2, names, false_reject=0.01)
    draw_visibility(margin, state, names, thresholds, tmp_path / "new" / "visibility.png")
    assert is_picture(tmp_path / "new" / "visibility.png")
    error, sigma = rng.normal(size=(parts, keypoints, 2)), np.ones((parts, keypoints))
    error[0, -1], sigma[0, -1] = np.nan, np.nan
    draw_sigma(
        error, sigma, state == 2, names, calibrate_sigma(error, sigma, state == 2), tmp_path / "new" / "sigma.png"
    )
    assert is_picture(tmp_path / "new" / "sigma.png")
