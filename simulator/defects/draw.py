"""Which defects a part has, and drawing them into its picture."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.defects.burr import sample_burr
from simulator.defects.defect import Defect, seen_defect
from simulator.defects.dent import sample_dent
from simulator.defects.mark import Kind, Mark
from simulator.defects.scratch import sample_scratch
from simulator.defects.stain import sample_stain
from simulator.defects.workpiece import Workpiece

_ATTEMPTS = 25  # per defect: places and strengths at which nobody would see it are drawn again
_APART_PX = 7  # between defects, so that no lens of ours mixes them
_FROM_EDGE_PX = 5  # of the middle of a scratch, dent or stain: rims glint, nothing is seen on them
_COUNTS = ((1, 0.6), (2, 0.25), (3, 0.1), (4, 0.05))
_SHARES = {Kind.SCRATCH: 0.34, Kind.DENT: 0.22, Kind.STAIN: 0.22, Kind.BURR: 0.22}

_ANYWHERE: dict[Kind, Callable[[np.random.Generator, Workpiece, tuple[float, float]], Mark | None]] = {
    Kind.SCRATCH: sample_scratch,
    Kind.DENT: sample_dent,
    Kind.STAIN: sample_stain,
}


def draw_defects(rng: np.random.Generator, work: Workpiece, image: NDArray[np.uint8]) -> tuple[Defect, ...]:
    """Draw one to four defects into ``image`` (H, W), before occluders and lens, in place.

    Only what a person would see is drawn, so that nothing stays without a label. Where next to nothing of the part is
    seen there may be none.
    """
    open_metal = ((work.solid > 0.99) & (work.seen > 0.99)).astype(np.uint8)
    places = np.flatnonzero(cv2.erode(open_metal, _disc(_FROM_EDGE_PX)))
    if not len(places):
        return ()
    counts, chances = zip(*_COUNTS, strict=True)
    kinds = rng.choice(list(_SHARES), int(rng.choice(counts, p=chances)), p=list(_SHARES.values()))
    taken = np.zeros(work.solid.shape, np.uint8)
    found: list[Defect] = []
    for kind in kinds:
        for _ in range(_ATTEMPTS):
            mark = _sample(rng, work, Kind(kind), int(rng.choice(places)))
            if mark is None or (work.cut(taken, mark.box) > 0)[mark.footprint].any():
                continue
            defect = seen_defect(work, mark)
            if defect is None:
                continue
            _paint(image, mark)
            _take(work, taken, mark)
            found.append(defect)
            break
    return tuple(found)


def _sample(rng: np.random.Generator, work: Workpiece, kind: Kind, place: int) -> Mark | None:
    if kind is Kind.BURR:
        return sample_burr(rng, work)
    row, column = divmod(place, work.solid.shape[1])
    spot = (work.box[0] + column + rng.uniform(-0.5, 0.5), work.box[1] + row + rng.uniform(-0.5, 0.5))
    return _ANYWHERE[kind](rng, work, spot)


def _paint(image: NDArray[np.uint8], mark: Mark) -> None:
    left, top, right, bottom = mark.box
    window = image[top:bottom, left:right]
    window[:] = np.rint(np.clip(window + mark.change, 0.0, 255.0))


def _take(work: Workpiece, taken: NDArray[np.uint8], mark: Mark) -> None:
    """Keep later defects away from all that this one changes."""
    touched = np.zeros_like(taken)
    work.cut(touched, mark.box)[:] = mark.footprint | (np.abs(mark.change) >= 0.5)
    np.maximum(taken, cv2.dilate(touched, _disc(_APART_PX)), out=taken)


def _disc(radius: int) -> NDArray[np.uint8]:
    span = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (span, span)), dtype=np.uint8)
