"""Counts: how many keypoints each way finds within a tenth and a fifth of the part's longest side, and names rightly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.teach.cases import Case
from benchmarks.teach.finders import Correlated, NearestFeature, Points, Unaided, copied, marked, patch_correlated
from training.keypoint_words.grammar import read_answer
from training.teach.proposal import Image, Proposal
from training.teach.teacher import Teacher

MODEL, WORDS = "language model, one marked image", "language model, words alone"
Finder = Callable[[Image, Points, Image], Points]


@dataclass
class Tally:
    """Of one way on one set.

    Attributes:
        off: distances in longest sides of the box.
        named: for each answer whether its part and its keypoint are the right ones.
        sure: confidences, one to a distance, where there are any.
    """

    off: list[float] = field(default_factory=list)
    named: list[bool] = field(default_factory=list)
    sure: list[float] = field(default_factory=list)

    def pck(self, share: float) -> float:
        """Share of the keypoints within ``share`` of the longest side."""
        return float(np.mean(np.asarray(self.off) <= share)) if self.off else float("nan")

    @property
    def names(self) -> float | None:
        """Share of the right names."""
        return float(np.mean(self.named)) if self.named else None

    @property
    def auc(self) -> float | None:
        """Chance that a keypoint within a tenth has more confidence than one that is not."""
        good = np.asarray(self.off) <= 0.1
        if not self.sure or good.all() or not good.any():
            return None
        sure = np.asarray(self.sure)
        return float(np.mean(sure[good][:, None] > sure[~good][None, :]))


def tallied(teacher: Teacher, cases: Iterable[Case]) -> dict[str, Tally]:
    """Every way on all cases."""
    others: dict[str, Finder] = {
        "without the language model": Unaided(teacher),
        "correlation of the reference feature": Correlated(teacher),
        "nearest feature, same encoder": NearestFeature(teacher),
        "cross-correlation of the patch": patch_correlated,
        "copied from the support image": copied,
    }
    tallies = {name: Tally() for name in (MODEL, WORDS, *others)}
    for case in cases:
        points = marked(case.support)
        xy_px = case.support.xy_px[points].astype(np.float64)
        images = [query.image for query in case.queries]
        found = teacher.locate_like(images, case.support.image, xy_px)
        told = teacher.locate_words(images, case.words) if case.words else [[] for _ in images]
        for query, proposals, by_words in zip(case.queries, found, told, strict=True):
            seen = query.state[points] == 2
            _proposed(tallies[MODEL], case, query.long_px, query.xy_px, points[seen], np.asarray(proposals)[seen])
            if by_words:
                visible = np.flatnonzero(query.state == 2)
                _proposed(tallies[WORDS], case, query.long_px, query.xy_px, visible, np.asarray(by_words)[visible])
            for name, finder in others.items():
                off = finder(case.support.image, xy_px, query.image)[seen] - query.xy_px[points[seen]]
                tallies[name].off.extend((np.hypot(*off.T) / query.long_px).tolist())
    return {name: tally for name, tally in tallies.items() if tally.off}


def _proposed(
    tally: Tally,
    case: Case,
    long_px: float,
    xy_px: NDArray[np.float32],
    points: NDArray[np.int64],
    proposals: Iterable[Proposal],
) -> None:
    for point, proposal in zip(points, proposals, strict=True):
        tally.off.append(float(np.hypot(*(proposal.xy_px - xy_px[point])) / long_px))
        tally.sure.append(proposal.confidence)
        if case.names:
            tally.named.append(read_answer(proposal.text) == (case.part, case.names[point]))
