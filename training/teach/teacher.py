"""A trained keypoint language model at work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import DataError
from training.keypoint_words.grammar import instruction, read_answer
from training.networks.keypoint_llm import KeypointLlm, Maps, Prompts, Replies
from training.networks.teach_encoder import WIDTH
from training.teach.model_folder import TeachCard, load
from training.teach.proposal import Answer, Image, Proposal
from training.teach.window import Window, around, checked, whole

_TOGETHER = 48  # questions in one run
_VISIBLE = 0.5


@dataclass(frozen=True)
class _Asking:
    """What is asked of every image: names for the proposals, ids of each instruction, features of marked points if any.

    ``hints`` are what the marked points are called; where words ask, they are of the image that is asked about.
    """

    names: Sequence[str] | None
    ids: list[list[int]]
    reference: Tensor
    hints: Tensor | None


class Teacher:
    """Finds and names keypoints. See `FindsKeypoints`; every method raises DataError for what is no image or no point.

    An image is looked at as a whole first; where the points that are found lie close together in it, once more around them.
    """

    def __init__(self, network: KeypointLlm, card: TeachCard) -> None:
        self.network, self.card = network.eval(), card

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> Teacher:
        """Read a folder that ``datumd train --method teach`` wrote.

        Raises:
            NetworkError: it is not one.
        """
        torch.set_num_threads(threads)
        built = load(folder)
        return cls(built.network, built.card)

    def locate_like(
        self,
        images: Sequence[Image],
        support_image: Image,
        xy_px: NDArray[np.float64],
        names: Sequence[str] | None = None,
    ) -> list[list[Proposal]]:
        """See `FindsKeypoints`."""
        support, points = checked(support_image), np.asarray(xy_px, np.float64).reshape(-1, 2)
        _check_points(points, support)
        if names is not None and len(names) != len(points):
            raise DataError(f"{len(names)} names for {len(points)} points", allowed="one name for each")
        window = around(support, points) or whole(support)
        return [self._found(checked(image), self._marked(support, window, points, names)) for image in images]

    def locate_words(self, images: Sequence[Image], words: Sequence[str]) -> list[list[Proposal]]:
        """See `FindsKeypoints`."""
        if not words or not all(word.strip() for word in words):
            raise DataError("a description is empty", allowed='words such as "the upper left hole"')
        ids = [self.network.vocabulary.encode(instruction(" ".join(word.split()))) for word in words]
        asking = _Asking(list(words), ids, torch.zeros(len(ids), WIDTH), None)
        return [self._found(checked(image), asking) for image in images]

    def name_at(self, image: Image, xy_px: NDArray[np.float64]) -> Answer:
        """See `FindsKeypoints`."""
        points = np.asarray(xy_px, np.float64).reshape(-1, 2)
        _check_points(points, checked(image))
        asking = self._marked(image, whole(image), points[:1], None)
        replies = next(self._replies(self._maps(whole(image).cut(image, self.card.side)), asking))
        text = self.network.vocabulary.decode(replies.ids[0]).strip()
        part, keypoint = read_answer(text)
        return Answer(part, keypoint, text, float(replies.sure[0]))

    def _marked(
        self, support: Image, window: Window, points: NDArray[np.float64], names: Sequence[str] | None
    ) -> _Asking:
        """A question for each marked point of the support image."""
        side = self.card.side
        inside = torch.from_numpy(window.inward(points, side)).float()[None]
        with torch.no_grad():
            maps = self._maps(window.cut(support, side))
            reference = self.network.referred(maps, inside)
            hints = self.network.hints(maps, reference, inside)
        ids = [self.network.vocabulary.encode(instruction()) for _ in points]
        return _Asking(names, ids, reference[0], hints[0])

    def _found(self, image: Image, asking: _Asking) -> list[Proposal]:
        """Proposals of one image: of the whole, and of the closer look where that is surer."""
        first = self._look(image, whole(image), asking)
        sure = [proposal.xy_px for proposal in first if proposal.visible]
        closer = around(image, np.stack(sure)) if len(sure) > 1 else None
        if closer is None:
            return first
        second = self._look(image, closer, asking)
        surer = sum(p.confidence for p in second) > sum(p.confidence for p in first)
        return second if surer else first

    def _look(self, image: Image, window: Window, asking: _Asking) -> list[Proposal]:
        side = self.card.side
        maps = self._maps(window.cut(image, side))
        proposals: list[Proposal] = []
        for replies in self._replies(maps, asking):
            seen = replies.seen.sigmoid()
            confidence = (seen * replies.placed.share).clamp(0.0, 1.0).tolist()
            xy_px = window.outward(replies.placed.xy_px.double().numpy(), side)
            for row, ids in enumerate(replies.ids):
                text = self.network.vocabulary.decode(ids).strip()
                name = asking.names[len(proposals)] if asking.names is not None else read_answer(text)[1]
                visible = bool(seen[row] >= _VISIBLE)
                proposals.append(Proposal(name, xy_px[row], confidence[row], visible, text))
        return proposals

    @torch.no_grad()
    def _maps(self, image: Image) -> Maps:
        return self.network.see(torch.from_numpy(image)[None])

    def _replies(self, maps: Maps, asking: _Asking) -> Iterator[Replies]:
        hints = self.network.part_hints(maps).expand(len(asking.ids), -1) if asking.hints is None else asking.hints
        for first in range(0, len(asking.ids), _TOGETHER):
            some = slice(first, first + _TOGETHER)
            ids = asking.ids[some]
            chosen = maps.chosen(torch.zeros(len(ids), dtype=torch.long))
            marked = torch.full((len(ids),), asking.hints is not None)
            yield self.network.reply(chosen, Prompts(ids, asking.reference[some], marked, hints[some]))


def _check_points(xy_px: NDArray[np.float64], image: Image) -> None:
    """Raises DataError."""
    high, wide = image.shape[:2]
    if not len(xy_px):
        raise DataError("no point is marked", allowed="one or more")
    inside = np.isfinite(xy_px).all() and bool(((xy_px > -0.5) & (xy_px < (wide - 0.5, high - 0.5))).all())
    if not inside:
        raise DataError("a marked point lies outside of the image", allowed=f"0..{wide - 1}, 0..{high - 1}")
