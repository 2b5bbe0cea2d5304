from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import RecipeError
from pipeline.sigma import SigmaScale, apply, read_sigma, write_sigma


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sigma.toml"
    assert read_sigma(path) is None
    for scale in (
        SigmaScale(),
        SigmaScale(scale=1.25, power=0.8, floor_px=0.05, factors=[0.9, 1.1], coordinates=812, within_1_sigma=0.684),
    ):
        write_sigma(path, scale)
        assert read_sigma(path, ["a", "b"]) == scale


def test_sigmas_are_scaled_raised_and_kept_above_the_floor() -> None:
    raw = np.array([0.0, 0.25, 4.0, np.nan])
    scale = SigmaScale(scale=3.0, power=0.5, floor_px=0.8)
    assert apply(scale, raw) == pytest.approx([0.8, np.hypot(1.5, 0.8), np.hypot(6.0, 0.8), np.nan], nan_ok=True)
    assert apply(SigmaScale(), raw) == pytest.approx(raw, nan_ok=True)
    many = apply(SigmaScale(factors=[1.0, 2.0]), np.ones((3, 2)))
    assert many.tolist() == [[1.0, 2.0]] * 3


def test_a_calibration_of_other_keypoints_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sigma.toml"
    write_sigma(path, SigmaScale(factors=[1.0, 2.0]))
    with pytest.raises(RecipeError, match=r"sigma.toml: factors: 2 numbers; allowed: 3, one a keypoint"):
        read_sigma(path, ["a", "b", "c"])
    with pytest.raises(RecipeError, match="2 factors; allowed: 3, one a keypoint"):
        apply(SigmaScale(factors=[1.0, 2.0]), np.ones(3))


@pytest.mark.parametrize("text", ["scale = 0.0", "scale = inf", "power = -1.0", "floor_px = -0.1", "sigma = 1.0"])
def test_a_faulty_calibration_names_its_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sigma.toml"
    path.write_text(text + "\n")
    with pytest.raises(RecipeError, match=rf"sigma.toml: {text.split(maxsplit=1)[0]}: "):
        read_sigma(path)
