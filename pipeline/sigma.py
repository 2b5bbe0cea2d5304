"""How far off a keypoint may be: the networks' standard deviations made honest, in `VIEW/sigma.toml` of a recipe."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline import toml_file
from pipeline.errors import RecipeError

FILE_NAME = "sigma.toml"
_Positive = Annotated[float, msgspec.Meta(gt=0.0, le=1e6)]
_Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class SigmaScale(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Calibrated sigma = factor * hypot(scale * sigma ** power, floor_px), per axis, all in sensor px.

    Attributes:
        scale: what a predicted sigma of 1 px becomes, but for the floor.
        power: below 1 where the networks exaggerate the differences between their sigmas, above 1 where they understate them.
        floor_px: no calibrated sigma lies below it, whatever the networks say, but for the factor.
        factors: one for each keypoint in the order of the view; none where all are 1.
        coordinates: for the reader: how many coordinates, two of a visible keypoint, this was found from.
        within_1_sigma, within_2_sigma: for the reader: shares of such coordinates, on parts that were left out in turn;
            0.683 and 0.954 of a normal distribution.
    """

    scale: _Positive = 1.0
    power: Annotated[float, msgspec.Meta(ge=0.0, le=4.0)] = 1.0
    floor_px: Annotated[float, msgspec.Meta(ge=0.0, le=1e6)] = 0.0
    factors: list[_Positive] = []
    coordinates: Annotated[int, msgspec.Meta(ge=0)] | None = None
    within_1_sigma: _Share | None = None
    within_2_sigma: _Share | None = None


def apply(scale: SigmaScale, sigma_px: NDArray[np.floating]) -> NDArray[np.float64]:
    """Calibrated standard deviations.

    Args:
        scale: of the view.
        sigma_px: (..., K), what the networks say, sensor px, per axis; nan where they say nothing.

    Returns:
        The same shape; nan stays nan.

    Raises:
        RecipeError: ``scale`` has factors for another number of keypoints.
    """
    raw = np.asarray(sigma_px, np.float64)
    if scale.factors and len(scale.factors) != raw.shape[-1]:
        raise RecipeError(f"{len(scale.factors)} factors", where=FILE_NAME, allowed=f"{raw.shape[-1]}, one a keypoint")
    calibrated = np.hypot(scale.scale * np.maximum(raw, 0.0) ** scale.power, scale.floor_px)
    return np.asarray(calibrated * np.asarray(scale.factors) if scale.factors else calibrated)


def read_sigma(path: Path, keypoints: Sequence[str] | None = None) -> SigmaScale | None:
    """Read a calibration; None where there is none. Raises RecipeError, also for factors that are not one a keypoint."""
    if not path.exists():
        return None
    scale = toml_file.read(path, SigmaScale, RecipeError)
    if keypoints is not None and scale.factors and len(scale.factors) != len(keypoints):
        where = toml_file.at(path, "factors")
        raise RecipeError(f"{len(scale.factors)} numbers", where=where, allowed=f"{len(keypoints)}, one a keypoint")
    return scale


def write_sigma(path: Path, scale: SigmaScale) -> None:
    """Write a calibration so that read_sigma gives it back."""
    lines = ["# Calibrated: rewritten by every calibration. sigma = factor * hypot(scale * sigma ** power, floor_px)"]
    lines += [f"{key} = {value!r}" for key, value in msgspec.structs.asdict(scale).items() if value not in (None, [])]
    path.write_text("\n".join(lines) + "\n")
