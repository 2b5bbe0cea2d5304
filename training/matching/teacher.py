"""The two ways in which matching helps a person to label: as a teacher by itself, and after a teacher's proposals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.geometry import Matrix
from pipeline.similarity import robust_similarity
from training.matching.matcher import Matched, Matcher
from training.teach.proposal import Answer, FindsKeypoints, Image, Proposal

VISIBLE = 0.5
AGREES = 0.2  # share of the patches that a refined pose must have to be believed
_MODEL = "datumd train --method teach --llm DIR --out models/teach, then --model models/teach"


class MatchingTeacher:
    """A teacher that needs no network: one photograph's patches, looked for in others. It knows no words."""

    def __init__(self, *, rotation_deg: float = 180.0) -> None:
        """`rotation_deg` is how far a part may be turned either way."""
        self._rotation_deg = rotation_deg
        self._held: tuple[Image, NDArray[np.float64], Matcher] | None = None

    def locate_like(
        self,
        images: Sequence[Image],
        support_image: Image,
        xy_px: NDArray[np.float64],
        names: Sequence[str] | None = None,
    ) -> list[list[Proposal]]:
        """See `FindsKeypoints`. What was learnt from the last support image is kept."""
        matcher = self._matcher(support_image, xy_px)
        called = list(names) if names is not None else [f"point_{number}" for number in range(1, len(xy_px) + 1)]
        return [proposals(matcher.find(image), called) for image in images]

    def locate_words(self, images: Sequence[Image], words: Sequence[str]) -> list[list[Proposal]]:  # noqa: ARG002
        """Words need a model. Raises DataError."""
        raise DataError("matching knows no words", where="--by match", allowed="--support", next_command=_MODEL)

    def name_at(self, image: Image, xy_px: NDArray[np.float64]) -> Answer:  # noqa: ARG002
        """Names need a model. Raises DataError."""
        raise DataError("matching knows no names", where="--by match", next_command=_MODEL)

    def _matcher(self, image: Image, xy_px: NDArray[np.float64]) -> Matcher:
        held = self._held
        if held is None or held[0] is not image or not np.array_equal(held[1], xy_px):
            held = image, np.array(xy_px), Matcher(image, xy_px, rotation_deg=self._rotation_deg)
            self._held = held
        return held[2]


class RefiningTeacher:
    """Another teacher's proposals made exact by matching, where the support image is given as a photograph."""

    def __init__(self, teacher: FindsKeypoints) -> None:
        """`teacher` proposes; the words are its own."""
        self._teacher = teacher
        self._held: tuple[Image, Matcher] | None = None

    def locate_like(
        self,
        images: Sequence[Image],
        support_image: Image,
        xy_px: NDArray[np.float64],
        names: Sequence[str] | None = None,
    ) -> list[list[Proposal]]:
        """See `FindsKeypoints`: a part that no pose fits keeps its proposals as they were."""
        if self._held is None or self._held[0] is not support_image:
            self._held = support_image, Matcher(support_image, xy_px)
        matcher = self._held[1]
        rough = self._teacher.locate_like(images, support_image, xy_px, names)
        return [_refined(matcher, image, given, xy_px) for image, given in zip(images, rough, strict=True)]

    def locate_words(self, images: Sequence[Image], words: Sequence[str]) -> list[list[Proposal]]:
        """As the teacher says: there is no photograph to compare with."""
        return self._teacher.locate_words(images, words)

    def name_at(self, image: Image, xy_px: NDArray[np.float64]) -> Answer:
        """As the teacher says."""
        return self._teacher.name_at(image, xy_px)


def proposals(found: Matched, names: Sequence[str]) -> list[Proposal]:
    """One for each name."""
    each = zip(names, found.points.xy_px, found.confidence.tolist(), found.points.close.tolist(), strict=True)
    return [Proposal(name, xy, sure, sure >= VISIBLE, f"alike {alike:.2f}") for name, xy, sure, alike in each]


def _refined(matcher: Matcher, image: Image, given: list[Proposal], xy_px: NDArray[np.float64]) -> list[Proposal]:
    pose = _pose(given, xy_px)
    if pose is None:
        return given
    found = matcher.refine(image, pose)
    if found.fit.agree < AGREES:
        return given
    exact = proposals(found, [one.name for one in given])
    return [replace(one, text=f"{before.text}; {one.text}") for one, before in zip(exact, given, strict=True)]


def _pose(given: list[Proposal], xy_px: NDArray[np.float64]) -> Matrix | None:
    """image_from_support of proposals; a single point only moves."""
    found = np.array([one.xy_px for one in given])
    if len(found) == 1:
        return np.array([[1.0, 0.0, found[0, 0] - xy_px[0, 0]], [0.0, 1.0, found[0, 1] - xy_px[0, 1]], [0.0, 0.0, 1.0]])
    weight = np.array([max(one.confidence, 0.05) for one in given])
    return robust_similarity(np.asarray(xy_px, np.float64), found, weight)
