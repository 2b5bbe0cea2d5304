"""Gauge repeatability and reproducibility by analysis of variance (AIAG, Measurement Systems Analysis, 4th ed., chapter III B)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline.errors import DataError

NDC_FACTOR = 1.41  # sqrt(2), as AIAG rounds it
POOLED_ABOVE = 0.05
LEAST = 2


@dataclass(frozen=True, slots=True)
class Source:
    """A line of the analysis of variance; f and p are None where there is nothing to compare with."""

    name: str
    degrees: int
    squares: float
    mean_square: float
    f: float | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Grr:
    """What a study of parts x loadings x repeats found. Standard deviations are in the unit of the measurement.

    Attributes:
        sources: the analysis of variance: with the interaction, and without it where that is pooled.
        pooled: the interaction was no larger than chance would make it (p above `POOLED_ABOVE`), and counts as repeatability.
        ev: repeatability (equipment variation).
        av: reproducibility between loadings or operators (appraiser variation), without the interaction.
        interaction: of parts with loadings; 0 where it is pooled.
        grr: all of the gauge: EV, AV and interaction.
        pv: of the parts.
        tv: total: GRR and PV.
        ndc: number of distinct categories, 1.41 PV / GRR cut to a whole number; None where the gauge did not vary at all.
    """

    sources: tuple[Source, ...]
    pooled: bool
    ev: float
    av: float
    interaction: float
    grr: float
    pv: float
    tv: float
    ndc: int | None

    def of_total(self, sigma: float) -> float:
        """Percent of the total variation."""
        return 100.0 * sigma / self.tv if self.tv else 0.0


def of_tolerance(sigma: float, tolerance: float) -> float:
    """Six standard deviations as percent of the tolerance's width."""
    return 100.0 * 6.0 * sigma / tolerance


def grr(values: NDArray[np.float64]) -> Grr:
    """Analyse a study.

    Args:
        values: (parts, loadings, repeats), every cell filled.

    Raises:
        DataError: fewer than two parts or two repeats, or a value is missing.
    """
    if values.ndim != 3 or values.shape[0] < LEAST or values.shape[1] < 1 or values.shape[2] < LEAST:
        raise DataError(
            f"the study has parts x loadings x repeats = {' x '.join(map(str, values.shape))}",
            allowed="two parts and two repeats or more",
        )
    if not np.isfinite(values).all():
        raise DataError("a value of the study is missing", allowed="every part in every loading as often as any other")
    full = _sources(values)
    parts, loadings, interaction, error = full
    pooled = interaction.p is None or interaction.p > POOLED_ABOVE
    if pooled:
        parts, loadings, error = _pooled(*full)
    count, times, repeats = values.shape
    against = error.mean_square if pooled else interaction.mean_square
    between = 0.0 if pooled else max(0.0, (interaction.mean_square - error.mean_square) / repeats)
    av = max(0.0, (loadings.mean_square - against) / (count * repeats)) if times > 1 else 0.0
    pv = max(0.0, (parts.mean_square - against) / (times * repeats))
    gauge = error.mean_square + av + between
    total = Source("total", values.size - 1, float(((values - values.mean()) ** 2).sum()), math.nan)
    shown = (parts, loadings, error, total) if pooled else (*full, total)
    return Grr(
        sources=shown,
        pooled=pooled,
        ev=math.sqrt(error.mean_square),
        av=math.sqrt(av),
        interaction=math.sqrt(between),
        grr=math.sqrt(gauge),
        pv=math.sqrt(pv),
        tv=math.sqrt(gauge + pv),
        ndc=int(NDC_FACTOR * math.sqrt(pv / gauge)) if gauge else None,
    )


def _sources(values: NDArray[np.float64]) -> tuple[Source, Source, Source, Source]:
    """Parts, loadings, their interaction, and repeatability: two factors crossed, both random."""
    count, times, repeats = values.shape
    grand = values.mean()
    of_parts, of_loadings, of_cells = values.mean((1, 2)), values.mean((0, 2)), values.mean(2)
    squares_parts = times * repeats * float(((of_parts - grand) ** 2).sum())
    squares_loadings = count * repeats * float(((of_loadings - grand) ** 2).sum())
    apart = of_cells - of_parts[:, None] - of_loadings[None, :] + grand
    squares_both = repeats * float((apart**2).sum())
    squares_error = float(((values - of_cells[:, :, None]) ** 2).sum())
    error = _source("repeatability", count * times * (repeats - 1), squares_error)
    both = _source("part x loading", (count - 1) * (times - 1), squares_both, error)
    against = both if both.degrees else error
    parts = _source("part", count - 1, squares_parts, against)
    return parts, _source("loading", times - 1, squares_loadings, against), both, error


def _pooled(parts: Source, loadings: Source, both: Source, error: Source) -> tuple[Source, Source, Source]:
    """The interaction counted as repeatability."""
    pooled = _source("repeatability", both.degrees + error.degrees, both.squares + error.squares)
    return (
        _source(parts.name, parts.degrees, parts.squares, pooled),
        _source(loadings.name, loadings.degrees, loadings.squares, pooled),
        pooled,
    )


def _source(name: str, degrees: int, squares: float, against: Source | None = None) -> Source:
    mean_square = squares / degrees if degrees else 0.0
    if against is None or not degrees or not against.mean_square:
        return Source(name, degrees, squares, mean_square)
    f = mean_square / against.mean_square
    return Source(name, degrees, squares, mean_square, f, float(stats.f.sf(f, degrees, against.degrees)))
