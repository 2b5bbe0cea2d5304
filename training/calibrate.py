"""Visibility and sigma of a view, calibrated on parts that its networks were not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.sigma import WITHIN_1_SIGMA, WITHIN_2_SIGMA, calibrate_sigma
from calibration.visibility import calibrate, concerns, counted, probabilities
from pipeline import shape
from pipeline import sigma as sigma_file
from pipeline import thresholds as thresholds_file
from pipeline.errors import DataError
from pipeline.sigma import SigmaScale, write_sigma
from pipeline.thresholds import Thresholds, write_thresholds
from training.data import Dataset
from training.method import ViewShape
from training.observed import Observed, observe
from training.reliability import draw_visibility
from training.sigma_diagram import draw_sigma

VISIBILITY_PICTURE, SIGMA_PICTURE = "visibility.png", "sigma.png"


@dataclass(frozen=True)
class Calibrated:
    """What was found and written.

    Attributes:
        thresholds: as in visibility.toml.
        sigma: as in sigma.toml; None where the networks say no sigma, which have no such file.
        parts: how many it rests on.
        pictures: names of the PNGs.
    """

    thresholds: Thresholds
    sigma: SigmaScale | None
    parts: int
    pictures: tuple[str, ...]

    def lines(self) -> list[str]:
        """For a person: a table with a row for each keypoint, the sigma, and what is to be thought of before use."""
        rate = self.thresholds.false_reject
        return [
            f"calibrated on {self.parts} parts, temperature {self.thresholds.temperature}"
            + ("" if rate is None else f", asked for {rate:.2%} of the visible rejected; intervals of 95%"),
            f"{'keypoint':24}{'visible':>8}{'unseen':>8}{'hidden <':>10}{'visible >=':>11}{'rejected %':>16}{'accepted %':>16}",
            *(self._row(name) for name in self.thresholds.keypoint),
            *([] if self.sigma is None else [_told(self.sigma)]),
            *(f"warning: {concern}" for concern in self.warnings()),
        ]

    def warnings(self) -> list[str]:
        """What a person should know before using it, a sentence each."""
        found = concerns(self.thresholds)
        sigma = self.sigma
        if sigma is None or sigma.within_1_sigma is None or sigma.within_2_sigma is None:
            return found
        for times, share, (low, high) in (
            (1, sigma.within_1_sigma, WITHIN_1_SIGMA),
            (2, sigma.within_2_sigma, WITHIN_2_SIGMA),
        ):
            if not low <= share <= high:
                found.append(
                    f"{share:.1%} of the errors are within {times} sigma where {low:.0%} to {high:.0%} should be: "
                    f"see {SIGMA_PICTURE}"
                )
        return found

    def _row(self, name: str) -> str:
        limits = self.thresholds.of(name)
        seen, unseen = limits.examples or (0, 0)
        return (
            f"{name:24}{seen:8}{unseen:8}{limits.hidden_below:10.4f}{limits.visible_above:11.4f}"
            f"{_percent(limits.false_reject):>16}{_percent(limits.false_accept if unseen else None):>16}"
        )


def calibrate_view(
    folder: Path,
    dataset: Dataset,
    parts: NDArray[np.int64],
    view: ViewShape,
    *,
    false_reject: float,
    pictures: Path,
) -> Calibrated:
    """Run the networks in ``folder`` over the given parts; write its visibility.toml and sigma.toml, and the pictures.

    Args:
        folder: the view's folder in the recipe.
        dataset: labelled parts.
        parts: indices of those to use, which must be new to the networks.
        view: gives the region of each part.
        false_reject: share of the visible keypoints that may be taken for unsure or hidden.
        pictures: folder of the PNGs; it is made.

    Raises:
        NetworkError: a network is missing or does not fit its place.
        DataError: no such parts, other keypoints than the networks', an image that cannot be read, or a position or
            logit that is no finite number.
    """
    if not len(parts):
        raise DataError("no parts to calibrate on", where="split.calibration", allowed="a larger share")
    seen = observe(folder, dataset, parts, view)
    if not np.isfinite(seen.margin).all():
        raise DataError("the networks give numbers that are not finite", where=str(folder), next_command="datumd train")
    thresholds = calibrate(seen.margin, seen.visible, dataset.keypoints, false_reject=false_reject)
    if (folder / shape.FILE_NAME).exists():  # what is put where the shape says follows from the thresholds
        write_thresholds(folder / thresholds_file.FILE_NAME, thresholds)
        seen = observe(folder, dataset, parts, view)
        thresholds = counted(thresholds, _reported(seen, thresholds) & ~seen.is_placed, seen.visible)
    write_thresholds(folder / thresholds_file.FILE_NAME, thresholds)
    draw_visibility(seen.margin, seen.state, dataset.keypoints, thresholds, pictures / VISIBILITY_PICTURE)
    path = folder / sigma_file.FILE_NAME
    path.unlink(missing_ok=True)
    (pictures / SIGMA_PICTURE).unlink(missing_ok=True)
    if not seen.has_sigma:
        return Calibrated(thresholds, None, len(parts), (VISIBILITY_PICTURE,))
    sigma = calibrate_sigma(seen.error_px, seen.sigma_px, seen.visible)
    write_sigma(path, sigma)
    draw_sigma(seen.error_px, seen.sigma_px, seen.visible, dataset.keypoints, sigma, pictures / SIGMA_PICTURE)
    return Calibrated(thresholds, sigma, len(parts), (VISIBILITY_PICTURE, SIGMA_PICTURE))


def _reported(seen: Observed, thresholds: Thresholds) -> NDArray[np.bool_]:
    limits = [limits.visible_above for limits in thresholds.keypoint.values()]
    return np.asarray(probabilities(seen.margin, thresholds.temperature) >= limits)


def _told(sigma: SigmaScale) -> str:
    shares = ""
    if sigma.within_1_sigma is not None and sigma.within_2_sigma is not None:
        shares = f"; on parts left out in turn {sigma.within_1_sigma:.1%} within 1 sigma, {sigma.within_2_sigma:.1%} within 2"
    return (
        f"sigma = hypot({sigma.scale:.4g} * sigma ** {sigma.power:.4g}, {sigma.floor_px:.4g} px)"
        f"{', a factor for each keypoint' if sigma.factors else ''}, from {sigma.coordinates} coordinates{shares}"
    )


def _percent(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{100 * interval[0]:.2f} to {100 * interval[1]:.2f}"
