"""Which layers of a view's networks can run in a lower precision: as many as leave the keypoints where they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from calibration.trial import load_trial
from pipeline.errors import NetworkError
from pipeline.parity import Case, Differences, find
from pipeline.precision import ParityPx
from pipeline.qualify import PROBABILITY_LIMIT
from pipeline.recipe import Recipe

MARGIN = 0.8  # of what is allowed: other images, and other machines, move keypoints a little farther
_FEW = 12  # frames are enough to rank layers

Layer = tuple[Path, str]  # a network of the recipe and the name of a layer
Maker = Callable[[Collection[str]], bytes]  # the names of the layers that stay in fp32 to the network's file
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """How far a choice of layers moves the keypoints.

    Attributes:
        px: over all frames.
        mean_px: of them.
        excess: 1 where what is allowed is reached, less the margin; infinite where other parts are found.
    """

    px: ParityPx
    mean_px: float
    excess: float


class Trials:
    """Runs a view with some of its layers in a lower precision."""

    def __init__(
        self,
        recipe: Recipe,
        view: str,
        references: Sequence[Case],
        others: Sequence[Case],
        allowed_px: float,
        folder: Path,
    ) -> None:
        """Compare with the recipe as it was sealed; networks are written to `folder`.

        On the reference frames no keypoint may move farther than `allowed_px`, on the others one in a hundred may.
        """
        self._recipe, self._view, self._folder = recipe, view, folder
        self._references, self._others, self._allowed_px = references, others, allowed_px

    def __call__(self, makers: Mapping[Path, Maker], kept: Collection[Layer], *, few: bool = False) -> Trial:
        """Try the networks that `makers` make; others of the view stay as they are."""
        files = {}
        for network, make in makers.items():
            files[network] = self._folder / network.name
            files[network].write_bytes(make([layer for path, layer in kept if path == network]))
        try:
            inspector = load_trial(self._recipe, self._view, files)
            references, every = Differences(), Differences()
            for case in self._references:
                found, _ = find(inspector, self._view, case.frame)
                references.add(case.expected, found)
                every.add(case.expected, found)
            for case in self._others[:: math.ceil(len(self._others) / _FEW)] if few and self._others else self._others:
                every.add(case.expected, find(inspector, self._view, case.frame)[0])
        except NetworkError:  # what overflowed in fp16 is no finite number
            return Trial(ParityPx(math.inf, math.inf, math.inf), math.inf, math.inf)
        px = every.parity_px()
        moved_px = max(px.p99, references.parity_px().max) / self._allowed_px
        moved = max(every.p99_probability(), *references.probability, 0.0) / PROBABILITY_LIMIT
        excess = math.inf if every.unlike else max(moved_px, moved) / MARGIN
        return Trial(px, sum(every.px) / max(len(every.px), 1), excess)


def choose_kept(trials: Trials, makers: Mapping[Path, Maker], layers: Sequence[Layer], say: Say) -> list[Layer]:
    """The layers that must stay in fp32, the one that matters most first; none where all can be lowered.

    Each layer is tried alone, which ranks them; then as few of the first ones as will do are kept, found by bisection. Keeping
    all always does.
    """
    every = trials(makers, [])
    say(f"all {len(layers)} layers: {_shown(every)}")
    if every.excess <= 1.0:
        return []
    effects: dict[Layer, Trial] = {}
    for number, layer in enumerate(layers, start=1):
        one = {layer[0]: makers[layer[0]]}
        effects[layer] = trials(one, [other for other in layers if other != layer], few=True)
        say(f"alone {number}/{len(layers)} {layer[0].stem} {layer[1]}: {_shown(effects[layer])}")
    ranked = sorted(layers, key=lambda layer: (-effects[layer].excess, -effects[layer].mean_px))
    over, enough = 0, len(ranked)
    while enough - over > 1:
        middle = (over + enough) // 2
        tried = trials(makers, ranked[:middle])
        say(f"{middle} of {len(layers)} kept in fp32: {_shown(tried)}")
        over, enough = (over, middle) if tried.excess <= 1.0 else (middle, enough)
    return ranked[:enough]


def _shown(trial: Trial) -> str:
    within = "within" if trial.excess <= 1.0 else "over"
    return f"p50 {trial.px.p50:.3f} p99 {trial.px.p99:.3f} max {trial.px.max:.3f} px, {within} the limit"
