"""From the images of parts to their keypoints: what the inspector runs, and training measures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from engines.devices.device import AnyDevice
from engines.engine import device_of
from pipeline.errors import NetworkError
from pipeline.network import CoarseCard, CoarseNetwork, KeypointCard, Network, PosedCard, RefineCard
from pipeline.stages.coarse import coarse
from pipeline.stages.posed import Posed
from pipeline.stages.preprocess import Preprocess
from pipeline.stages.refine import Refine
from pipeline.stages.settle import settle
from pipeline.stages.shape import ShapeFit
from pipeline.stages.values import CoarseKeypoints, Prepared, RefinedKeypoints
from pipeline.thresholds import Thresholds
from pipeline.view_files import ViewFiles

_TRAIN = "datumd train METHOD.toml --coco FILE --images DIR --out RECIPE"


class Loader(Protocol):
    """Loads one of a view's networks for its place."""

    def __call__(self, path: Path, role: type[KeypointCard]) -> Network[KeypointCard]:
        """The network in an ONNX file. Raises NetworkError, EngineError or RecipeError where it cannot be used."""


@dataclass(frozen=True, slots=True)
class KeypointStages:
    """What a view runs between its images and its keypoints, and other views with the same files, too.

    Each method is one stage over all parts of a frame, or of frames of several such views.

    Attributes:
        backends: the libraries, with their versions, that run its networks: each network may have another.
        blank_runs: each runs one of its networks on zeros, in a batch of one.
    """

    keypoints: tuple[str, ...]
    thresholds: Thresholds
    device: AnyDevice
    backends: tuple[str, ...]
    preprocess: Preprocess
    coarse_network: CoarseNetwork
    posed_stage: Posed | None
    refine_stage: Refine | None
    shape: ShapeFit | None
    blank_runs: tuple[Callable[[], None], ...]

    def coarse(self, parts: Sequence[Prepared]) -> list[CoarseKeypoints]:
        """What the first network finds in the small images."""
        return coarse(parts, self.coarse_network, self.device)

    def posed(self, parts: Sequence[Prepared], found: Sequence[CoarseKeypoints]) -> list[CoarseKeypoints]:
        """What the second network finds; without one as found."""
        return list(found) if self.posed_stage is None else self.posed_stage(parts, found)

    def refine(self, parts: Sequence[Prepared], found: Sequence[CoarseKeypoints]) -> list[RefinedKeypoints]:
        """Positions to a fraction of a pixel, what was not seen where the shape model says; without these as found."""
        stage = self.refine_stage
        refined = stage(parts, found) if stage is not None else [_as_found(one) for one in found]
        if self.shape is None:
            return refined
        return [settle(one, self.shape, self.keypoints, self.thresholds) for one in refined]


def load_keypoint_stages(files: ViewFiles, keypoints: Sequence[str], load: Loader, frames: int = 1) -> KeypointStages:
    """Load a view's networks and run each once. Images live where all of them can take them.

    Args:
        files: the view's.
        keypoints: its keypoints.
        load: loads one network.
        frames: that are inspected together at most.

    Raises:
        NetworkError: a network does not fit its place beside the others, or fails.
        EngineError: the backend has no memory for what frames need.
        DatumdError: what `load` raises.
    """
    network = load(files.coarse, CoarseCard)
    second = None if files.posed is None else _beside(load(files.posed, PosedCard), network)
    patches = None if files.refine is None else _beside(load(files.refine, RefineCard), network)
    blank_runs = [_warm(network, 1, frames)]
    if second is not None:
        blank_runs.append(_warm(second, 1, frames))
    if patches is not None:
        blank_runs.append(_warm(patches, len(keypoints), frames))
    shape = None if files.shape is None else ShapeFit(files.shape)
    engines = [one.engine for one in (network, second, patches) if one is not None]
    device = device_of(engines)
    return KeypointStages(
        keypoints=tuple(keypoints),
        thresholds=files.thresholds,
        device=device,
        backends=tuple(dict.fromkeys(engine.backend for engine in engines)),
        preprocess=Preprocess(network.card.small_wh, network.card.large_wh, device),
        coarse_network=network,
        posed_stage=None if second is None else Posed(second, device),
        refine_stage=None if patches is None else Refine(patches, device, shape),
        shape=shape,
        blank_runs=tuple(blank_runs),
    )


def _warm(network: Network[KeypointCard], batch: int, frames: int) -> Callable[[], None]:
    """Warm the network up for the batch that a frame gives and for those of several; returns a run on zeros.

    That is of a batch of one: it reads all weights, and a frame that comes meanwhile waits a tenth as long as for a part's
    patches.
    """
    for count in range(1, frames + 1):
        network.warm_up(count * batch)
    run = network.blank_run()
    run()
    return run


def _beside(network: Network[KeypointCard], first: CoarseNetwork) -> Network[KeypointCard]:
    """A network, if it speaks of the same large image and keypoints as the first one."""
    found, wanted = network.card, first.card
    where, name = str(network.path), first.path.name
    if found.keypoints != wanted.keypoints:
        raise NetworkError(
            f"finds the keypoints {', '.join(found.keypoints)}",
            where=where,
            allowed=f"{', '.join(wanted.keypoints)}, in this order, as {name}",
            next_command=_TRAIN,
        )
    if found.large_wh != wanted.large_wh:
        raise NetworkError(
            f"is for large images of {found.large_wh}",
            where=where,
            allowed=f"{wanted.large_wh}, as {name}",
            next_command=_TRAIN,
        )
    return network


def _as_found(found: CoarseKeypoints) -> RefinedKeypoints:
    nothing = np.zeros(len(found.logits), np.bool_)
    return RefinedKeypoints(found.xy_large_px, found.logits, found.sigma_large_px, nothing)
