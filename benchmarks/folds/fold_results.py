"""What was measured, in docs/folds-results.json: one record a fold, with the errors of every part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from benchmarks.methods.results_file import read_records

RESULTS = Path(__file__).parents[2] / "docs" / "folds-results.json"


class FoundPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One labelled part; errors in px of the photo, one for each keypoint, None where it is not visible.

    Attributes:
        first_px, refined_px: of the first network, and of all.
        length_px: between the part's first and last keypoint.
        swapped: of two keypoints, each was found nearer to where the other is.
    """

    image: str
    first_px: list[float | None]
    refined_px: list[float | None]
    length_px: float
    swapped: bool


class FoundFold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parts of a fold that were not trained on.

    Attributes:
        lost: parts that locate did not find.
        within_1_sigma, within_2_sigma: see `training.score.Coverage`; None without sigma.
    """

    parts: list[FoundPart]
    lost: int
    within_1_sigma: float | None = None
    within_2_sigma: float | None = None


class FoldRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fold.

    Attributes:
        digest: of what decides the result.
        method: as its file gives it, for the reader.
        init: name of the file of weights that the training started from; empty for none.
        images: that were trained and calibrated on.
        minutes: CPU time of the training.
        regions: by how parts were found, "annotated" or "located".
    """

    digest: str
    method: dict[str, Any]
    init: str
    images: int
    minutes: float
    regions: dict[str, FoundFold]


def read(path: Path) -> dict[str, FoldRecord]:
    """All records by "SET/FOLD"; see `read_records`."""
    return read_records(path, FoldRecord)
