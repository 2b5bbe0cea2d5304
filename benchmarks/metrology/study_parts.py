"""Ten parts that differ as it is known, put in three times at known heights: what a gauge study of them must find.

The frames come in the order in which `datumd gauge record` asks for the parts, one for each trigger.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrology.disc_part import CENTRES_MM, NOISE, SIDE_PX, DiscParts, distance_mm
from pipeline.geometry import Points
from simulator.plane_view import exposed

PARTS, LOADINGS, REPEATS, MASTER_REPEATS = 10, 3, 3, 50
NEARER = (-1e-4, 0.0, 1e-4)  # by loading: the share by which a part is seen larger
_APART_MM = 0.04  # standard deviation, along x and y, of where discs b and c of a part are

Pair = tuple[str, str]


def centres_mm() -> list[Points]:
    """Of each part, (4, 2)."""
    rng = np.random.default_rng(41)
    parts = []
    for _ in range(PARTS):
        centres = CENTRES_MM.copy()
        centres[1:3] += rng.normal(0.0, _APART_MM, (2, 2))
        parts.append(centres)
    return parts


def true_mm(pair: Pair) -> NDArray[np.float64]:
    """(PARTS,), from centre to centre."""
    return np.array([distance_mm(pair, centres) for centres in centres_mm()])


def true_sigmas_mm(pair: Pair) -> tuple[float, float]:
    """Standard deviations of the parts, and of the loadings at the parts' mean."""
    lengths = true_mm(pair)
    return float(lengths.std(ddof=1)), float((lengths.mean() * np.array(NEARER)).std(ddof=1))


def frames(width: int, height: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """The study, then the part with the nominal lengths, left in its place; for a camera of SIDE_PX x SIDE_PX."""
    if (width, height) != (SIDE_PX, SIDE_PX):
        raise ValueError(f"{width} x {height}, allowed: {SIDE_PX} x {SIDE_PX}")
    rng = np.random.default_rng([43, seed])
    drawn = [DiscParts(centres) for centres in centres_mm()]
    for nearer in NEARER:
        for part in drawn:
            levels = part.lying(rng, nearer)
            for _ in range(REPEATS):
                yield exposed(levels, NOISE, rng)
    levels = DiscParts().lying(rng)
    while True:
        yield exposed(levels, NOISE, rng)
