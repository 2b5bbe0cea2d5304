"""What a view's networks, run as they ship, say of labelled parts, beside what is true."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Region
from training.canvas import read_grey, region_of
from training.data import VISIBLE, Dataset
from training.method import ViewShape
from training.shipped import ShippedView


@dataclass(frozen=True)
class Observed:
    """Of N parts with K keypoints.

    Attributes:
        margin: (N, K), logit of existing minus logit of not existing.
        state: (N, K) int8 of the labels, 2 visible, 1 hidden, 0 missing.
        error_px: (N, K, 2), found minus labelled position, sensor px; nan where the labels give none.
        sigma_px: (N, K), standard deviation per axis as the networks say it, sensor px; nan where they say none.
        is_placed: (N, K), put where the shape model says, which is never reported visible.
    """

    margin: NDArray[np.float64]
    state: NDArray[np.int8]
    error_px: NDArray[np.float64]
    sigma_px: NDArray[np.float64]
    is_placed: NDArray[np.bool_]

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(N, K), labelled visible."""
        return np.asarray(self.state == VISIBLE)

    @property
    def has_sigma(self) -> bool:
        """Whether the networks say a sigma of anything."""
        return bool(np.isfinite(self.sigma_px).any())


def observe(folder: Path, dataset: Dataset, parts: NDArray[np.int64], view: ViewShape) -> Observed:
    """Run the networks in ``folder`` over the given parts, at least one, in the regions of their labels.

    Raises:
        NetworkError: a network is missing or does not fit its place.
        DataError: an image cannot be read.
    """
    shipped = ShippedView(folder)
    rows = []
    for index in parts:
        part = dataset.parts[index]
        found = shipped.predict(read_grey(part), [Region(*region_of(part, view))])[0]
        margin = (found.logits[:, 0] - found.logits[:, 1]).astype(np.float64)
        error = found.refined_sensor_px - part.xy_sensor_px
        rows.append((margin, part.state, error, found.sigma_sensor_px, found.is_placed))
    margins, states, errors, sigmas, placed = (np.stack(column) for column in zip(*rows, strict=True))
    return Observed(margins, states, errors, sigmas.astype(np.float64), placed)
