"""What was measured, in docs/segment-results.json: one record for each row, set and fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.methods.results_file import read_records
from benchmarks.segment.variants import Training
from training.segment_score import SegmentReport

RESULTS = Path(__file__).parents[2] / "docs" / "segment-results.json"
WHOLE, ZEROED = "whole", "zeroed"


class Found(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The networks of one training, run in one way.

    Attributes:
        ms: CPU time of a part, with one thread, from the image on.
        figures: on the set's test parts.
    """

    ms: float
    figures: SegmentReport


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One training on one fold of one set.

    Attributes:
        digest: of what decides the result; a record with another one is of the past.
        weights: the frozen SAM.
        method: as the files give it, for the reader.
        minutes: CPU time of the training.
        parameters: that were trained.
        verdict: whether the loss has come to rest.
        parts: how many were trained on, calibrated with and looked at.
        found: by how they are run: whole, and with the heatmap zeroed.
    """

    digest: str
    weights: str
    method: dict[str, Any]
    minutes: float
    parameters: int
    verdict: str
    parts: tuple[int, int, int]
    found: dict[str, Found]


Records = Mapping[str, Record]


def read(path: Path) -> dict[str, Record]:
    """All records by the key of their training; see `read_records`."""
    return read_records(path, Record)


def valid(training: Training, records: Records, weights: str | None = None) -> Record | None:
    """The record of a training, if it is of this very configuration and, where they are given, weights."""
    record = records.get(training.key)
    if record is None or record.digest != training.digest or weights not in (None, record.weights):
        return None
    return record


def missing(trainings: Sequence[Training], records: Records, weights: str) -> list[Training]:
    """Those without a record."""
    return [training for training in trainings if valid(training, records, weights) is None]


def rounded(report: SegmentReport) -> SegmentReport:
    """With five significant digits: more is noise, and makes the file unreadable."""
    return msgspec.convert(_short(msgspec.to_builtins(report)), SegmentReport)


def _short(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    return [_short(item) for item in value] if isinstance(value, list | tuple) else value
