"""What was measured, in docs/methods-results.json: one record a training, written by any number of processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from benchmarks.methods.results_file import read_records
from training.score import Report

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "methods-results.json"


class Figures(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One decoding of one training on one set; errors in px of visible keypoints, rates as shares.

    Attributes:
        parts: of the set.
        over_true_start: mean over that reached from the truth with jitter.
        occluded_off, gross_parts, occluded_mean: see `training.score.Occluded`.
        within_1_sigma, within_2_sigma: see `training.score.Coverage`.
    """

    parts: int
    mean: float
    median: float
    p95: float
    p99: float
    within_1_px: float
    failed: float
    auc: float | None = None
    auc_missing: float | None = None
    auc_hidden: float | None = None
    false_reject: float | None = None
    false_accept: float | None = None
    false_accept_missing: float | None = None
    false_accept_hidden: float | None = None
    over_true_start: float | None = None
    occluded_mean: float | None = None
    occluded_off: float | None = None
    gross_parts: float | None = None
    within_1_sigma: float | None = None
    within_2_sigma: float | None = None


class Decoding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The networks of one training, run up to one point: first, refined, or refined with the shape fit in the loop.

    Attributes:
        parameters: of the networks that run.
        ms: one core, all keypoints of a part: CPU time of these networks and of the stages around them.
        sets: by name.
    """

    parameters: int
    ms: float
    sets: dict[str, Figures]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One training.

    Attributes:
        digest: of what decides the result; a record with another one is of the past.
        method: as the files give it, for the reader.
        minutes: CPU time of the training.
        validation_px: mean error of the first network on the validation parts, by which settings are chosen.
        verdicts: of each network, whether its loss has come to rest.
        decodings: first, refined, fitted; for a setting that was only tried, none.
    """

    digest: str
    method: dict[str, Any]
    minutes: float
    validation_px: float
    verdicts: dict[str, str]
    decodings: dict[str, Decoding]


def read(path: Path) -> dict[str, Record]:
    """All records by the key of their training; see `read_records`."""
    return read_records(path, Record)


def figures(report: Report, *, first: bool) -> Figures:
    """What the table needs of a report; ``first`` where nothing is refined, so that a true start means nothing."""
    off, seen, occluded, sigma = report.refined, report.visibility, report.occluded, report.sigma
    return Figures(
        parts=report.parts,
        mean=_short(off.mean),
        median=_short(off.median),
        p95=_short(off.p95),
        p99=_short(off.p99),
        within_1_px=_short(off.pck.get("1px", 0.0)),
        failed=_short(report.failed),
        auc=_maybe(seen.auc),
        auc_missing=_maybe(seen.auc_missing),
        auc_hidden=_maybe(seen.auc_hidden),
        false_reject=_maybe(seen.false_reject),
        false_accept=_maybe(seen.false_accept),
        false_accept_missing=_maybe(seen.false_accept_missing),
        false_accept_hidden=_maybe(seen.false_accept_hidden),
        over_true_start=None if first else _maybe(report.refined_over_jittered),
        occluded_mean=_maybe(occluded.mean if occluded else None),
        occluded_off=_maybe(occluded.off if occluded else None),
        gross_parts=_maybe(occluded.gross_parts if occluded else None),
        within_1_sigma=_maybe(sigma.within_1_sigma if sigma else None),
        within_2_sigma=_maybe(sigma.within_2_sigma if sigma else None),
    )


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def _maybe(value: float | None) -> float | None:
    return None if value is None or value != value else _short(value)  # noqa: PLR0124 - NaN is no JSON
