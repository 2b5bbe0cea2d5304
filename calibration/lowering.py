"""Which layers of a view's networks can run in a lower precision: as many as leave the keypoints where they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from calibration.trial import load_trial
from pipeline.errors import NetworkError
from pipeline.parity import Case, Differences, find
from pipeline.precision import ParityPx
from pipeline.qualify import PROBABILITY_LIMIT
from pipeline.recipe import Recipe

_MARGIN = 0.8  # of what is allowed: other machines round a little differently
_FEW = 12  # frames are enough to rank layers

Layer = tuple[Path, str]  # a network of the recipe and the name of a layer
Maker = Callable[[Collection[str]], bytes]  # the names of the layers that stay in fp32 to the network's file
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Moved:
    """How far a choice of layers moves the keypoints.

    Attributes:
        px: over all frames.
        mean_px: of them.
        share: of what is allowed that one keypoint in a hundred exceeds, in px or in visibility, whichever is more; infinite
            where other parts are found.
        reference_share: the same of the keypoint that moves most in the reference frames.
    """

    px: ParityPx
    mean_px: float
    share: float
    reference_share: float

    def is_within(self, share: float) -> bool:
        """Whether 99 keypoints in 100 stay within this share of what is allowed, and those of the reference frames do."""
        return self.share <= share and self.reference_share <= _MARGIN

    def __str__(self) -> str:
        """Text for the terminal."""
        return f"p50 {self.px.p50:.3f}  p99 {self.px.p99:.3f}  max {self.px.max:.3f} px"


_NOWHERE = Moved(ParityPx(math.inf, math.inf, math.inf), math.inf, math.inf, math.inf)


class Judge(Protocol):
    """Says how far keypoints move."""

    def __call__(self, kept: Collection[Layer], *, few: bool = False) -> Moved:
        """With these layers in fp32 and all others lowered, on a few frames or on all."""


class Trials:
    """Runs a view with some of its layers in a lower precision."""

    def __init__(
        self,
        recipe: Recipe,
        view: str,
        makers: Mapping[Path, Maker],
        references: Sequence[Case],
        others: Sequence[Case],
        allowed_px: float,
        folder: Path,
    ) -> None:
        """Compare on the reference frames and others; `makers` of the view's networks, which are written to `folder`."""
        self._recipe, self._view, self._makers, self._folder = recipe, view, makers, folder
        self._references, self._others, self._allowed_px = references, others, allowed_px
        self._done: dict[tuple[frozenset[Layer], bool], Moved] = {}
        self._files: dict[tuple[Path, frozenset[str]], Path] = {}

    def __call__(self, kept: Collection[Layer], *, few: bool = False) -> Moved:
        """Try the networks with these layers in fp32, on a few frames or on all."""
        key = frozenset(kept), few
        if key not in self._done:
            step = max(1, len(self._others) // _FEW) if few else 1
            self._done[key] = self._run(kept, self._others[::step], is_whole=few)
        return self._done[key]

    def _run(self, kept: Collection[Layer], others: Sequence[Case], *, is_whole: bool) -> Moved:
        """Inspect the frames; unless `is_whole`, only until it is certain that keypoints move too far."""
        files = {network: self._file(network, kept) for network in self._makers}
        references, every = Differences(), Differences()
        try:
            inspector = load_trial(self._recipe, self._view, files)
            cases = (*self._references, *others)
            most = sum(len(part) for case in cases for part in case.expected) / 100 + 1  # that may lie elsewhere
            for number, case in enumerate(cases):
                found, _ = find(inspector, self._view, case.frame)
                every.add(case.expected, found)
                if number < len(self._references):
                    references.add(case.expected, found)
                if not is_whole and self._is_over(references, every, most):
                    break
        except NetworkError:  # what overflows in fp16 is no finite number
            return _NOWHERE
        if every.unlike:
            return _NOWHERE
        px = every.parity_px()
        return Moved(
            px=px,
            mean_px=sum(every.px) / max(len(every.px), 1),
            share=max(px.p99 / self._allowed_px, every.p99_probability() / PROBABILITY_LIMIT),
            reference_share=max(
                references.parity_px().max / self._allowed_px,
                max(references.probability, default=0.0) / PROBABILITY_LIMIT,
            ),
        )

    def _is_over(self, references: Differences, every: Differences, most: float) -> bool:
        """Whether the figures can only be too large, whatever the remaining frames show."""
        over = sum(px > self._allowed_px for px in every.px)
        return references.parity_px().max > _MARGIN * self._allowed_px or over > most

    def _file(self, network: Path, kept: Collection[Layer]) -> Path:
        """The network with these layers in fp32; one that was made before is not made again."""
        own = frozenset(layer for path, layer in kept if path == network)
        if (network, own) not in self._files:
            path = self._folder / f"{len(self._files)}.{network.name}"
            path.write_bytes(self._makers[network](own))
            self._files[network, own] = path
        return self._files[network, own]


class Search:
    """Finds the layers that must stay in fp32."""

    def __init__(self, trials: Judge, layers: Mapping[Layer, int], say: Say) -> None:
        """Among `layers` of a view, given with their multiply-adds; `say` takes a line of progress."""
        self._trials, self._layers, self._say = trials, layers, say
        self._ranked: list[Layer] = []

    def kept(self, share: float) -> list[Layer]:
        """As few as leave the keypoints within `share` of what is allowed; none where all layers can be lowered.

        Each layer is lowered alone, which ranks them: by the square of how far it moves keypoints, for squares add up, for
        each of its multiply-adds, which are what is to be gained. As few of the first ones as will do are kept, found by
        bisection; then each of them, the last one first, is lowered after all if that is borne. Keeping all always does.
        """
        if self._is_within(share, []):
            return []
        ranked = self._ranked = self._ranked or self._rank()
        over, enough = 0, len(ranked)
        while enough - over > 1:
            middle = (over + enough) // 2
            over, enough = (over, middle) if self._is_within(share, ranked[:middle]) else (middle, enough)
        kept = ranked[:enough]
        for layer in reversed(ranked[: enough - 1]):
            fewer = [other for other in kept if other != layer]
            # what is too far on a few frames would be on all
            kept = fewer if self._trials(fewer, few=True).is_within(share) and self._is_within(share, fewer) else kept
        return kept

    def _rank(self) -> list[Layer]:
        moved_px = {}
        for number, layer in enumerate(self._layers, start=1):
            moved = self._trials([other for other in self._layers if other != layer], few=True)
            self._say(f"  {layer[0].stem} {layer[1]} alone ({number} of {len(self._layers)}): {moved}")
            moved_px[layer] = moved.mean_px
        return sorted(self._layers, key=lambda layer: moved_px[layer] ** 2 / self._layers[layer], reverse=True)

    def _is_within(self, share: float, kept: Collection[Layer]) -> bool:
        moved = self._trials(kept)
        is_within = moved.is_within(share)
        self._say(f"  {len(kept)} of {len(self._layers)} layers in fp32: {moved}{'' if is_within else ', too far'}")
        return is_within
