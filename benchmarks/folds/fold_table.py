"""The folds as a table, and the figures that a bar is set for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.folds.fold_results import FoldRecord, FoundPart
from benchmarks.folds.photo_set import ANNOTATED, SETS

COLUMNS = (
    "",
    "parts",
    "not found",
    "first network, mean px",
    "refined, mean px",
    "median",
    "p95",
    "first over refined",
    "median, % of the length",
    "swapped",
    "within 1 sigma",
    "within 2 sigma",
    "CPU minutes",
)
Records = Mapping[str, FoldRecord]


@dataclass(frozen=True, slots=True)
class Pooled:
    """Parts of one fold or of several."""

    parts: Sequence[FoundPart]
    lost: int
    sigma: tuple[float, float] | None
    minutes: float

    @property
    def first_px(self) -> NDArray[np.float64]:
        """Errors of the first network, visible keypoints."""
        return _flat(part.first_px for part in self.parts)

    @property
    def refined_px(self) -> NDArray[np.float64]:
        """Errors of all networks, visible keypoints."""
        return _flat(part.refined_px for part in self.parts)

    @property
    def percent(self) -> NDArray[np.float64]:
        """The same in percent of the part's length."""
        shares = ([None if px is None else 100 * px / part.length_px for px in part.refined_px] for part in self.parts)
        return _flat(shares)

    @property
    def swapped(self) -> int:
        """Parts found the wrong way round."""
        return len([part for part in self.parts if part.swapped])


def pooled(records: Sequence[FoldRecord], regions: str) -> Pooled:
    """Several folds as one; sigma's shares weigh by parts."""
    folds = [record.regions[regions] for record in records]
    sigma = None
    if all(fold.within_1_sigma is not None for fold in folds) and any(fold.parts for fold in folds):
        weights = [len(fold.parts) for fold in folds]
        one, two = (
            float(np.average([share or 0.0 for share in shares], weights=weights))
            for shares in ([fold.within_1_sigma for fold in folds], [fold.within_2_sigma for fold in folds])
        )
        sigma = one, two
    return Pooled(
        [part for fold in folds for part in fold.parts],
        sum(fold.lost for fold in folds),
        sigma,
        sum(record.minutes for record in records),
    )


def rows(name: str, records: Records) -> list[list[str]]:
    """Of one set: a line for each fold that is there, and one over all, for each way that parts were found."""
    found = {key: record for key, record in records.items() if key.startswith(f"{name}/")}
    lines = []
    for regions in SETS[name].regions:
        having = {key: record for key, record in found.items() if regions in record.regions}
        for key, record in having.items():
            lines.append(_line(f"{key} {regions}", pooled([record], regions)))
        if len(having) > 1:
            lines.append(_line(f"{name} {regions}, {len(having)} folds", pooled(list(having.values()), regions)))
    return lines


def markdown(records: Records) -> str:
    """All sets, for the page."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|---|{'---:|' * (len(COLUMNS) - 1)}"]
    for name in SETS:
        of_set = rows(name, records) or [[f"{name}: not measured yet", *[""] * (len(COLUMNS) - 1)]]
        lines += [f"| {' | '.join(row)} |" for row in of_set]
    return "\n".join(lines)


def bars(records: Records, count: int) -> dict[str, float]:
    """The figures of every set whose folds are all there, parts found as annotated."""
    found: dict[str, float] = {}
    for name in SETS:
        own = [record for key, record in records.items() if key.startswith(f"{name}/") and ANNOTATED in record.regions]
        if len(own) < count:
            continue
        every = pooled(own, ANNOTATED)
        if name == "openfield":
            found["openfield_mean_px"] = float(every.refined_px.mean())
        elif name == "tubes":
            found["tubes_median_percent"] = float(np.median(every.percent))
            found["tubes_swapped"] = float(every.swapped)
        else:
            found["setsquare_coarse_over_refined"] = float(every.first_px.mean() / every.refined_px.mean())
    return found


def _line(title: str, one: Pooled) -> list[str]:
    if not one.parts:
        return [title, "0", str(one.lost), *["-"] * (len(COLUMNS) - 3)]
    first, refined = one.first_px, one.refined_px
    is_pair = len(one.parts[0].refined_px) == 2
    shares = ["-", "-"] if one.sigma is None else [f"{share:.1%}" for share in one.sigma]
    return [
        title,
        str(len(one.parts)),
        str(one.lost),
        f"{first.mean():.2f}",
        f"{refined.mean():.2f}",
        f"{np.median(refined):.2f}",
        f"{np.percentile(refined, 95):.2f}",
        f"{first.mean() / refined.mean():.1f}",
        f"{np.median(one.percent):.2f}",
        str(one.swapped) if is_pair else "-",
        *shares,
        f"{one.minutes:.1f}",
    ]


def _flat(rows: Iterable[Sequence[float | None]]) -> NDArray[np.float64]:
    return np.array([px for row in rows for px in row if px is not None], np.float64)
