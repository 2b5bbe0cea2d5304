"""Trains one row in the cache folder: goes on after a kill, shares the frozen features, counts CPU time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.methods.spent import Spent, minutes
from benchmarks.segment.predictors import Running
from benchmarks.segment.results import WHOLE, ZEROED
from benchmarks.segment.variants import Training
from training.masks.sample import MaskedSet
from training.networks.prompted_sam import PromptedSam
from training.networks.sam import LoadedSam
from training.segment_export import export_segment
from training.segment_maps import Predict, ShippedSegment
from training.segment_train import SegmentRun, TrainedSegment, divide_segment, train_segment

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out.

    Attributes:
        predict: by how it is run, what is looked at: S4 through the files that ship, and with its heatmap zeroed.
        minutes: CPU time of the training over all its runs.
        parts: that were trained on.
        calibration: parts that were not.
    """

    predict: dict[str, Predict]
    minutes: float
    parameters: int
    verdict: str
    parts: int
    calibration: MaskedSet


def trained(training: Training, images: MaskedSet, sam: LoadedSam, folder: Path, features: Path, say: Say) -> Trained:
    """Train in ``folder``; one that is whole already only gives its networks.

    Args:
        training: what.
        images: all but those that are only looked at.
        sam: what is frozen.
        folder: of this training alone.
        features: what the frozen encoder gave, shared with other trainings.
        say: receives one line at a time.

    Raises:
        DatumdError: the images cannot be used, or the training failed.
    """
    method, work = training.method, folder / "work"
    train, calibration, validation = divide_segment(images, method.split, method.seed)
    work.mkdir(parents=True, exist_ok=True)
    spent = Spent(folder)

    def told(line: str) -> None:
        spent.keep()
        say(line)

    done = train_segment(SegmentRun(method, sam, train, validation, work, True, told, features))
    return Trained(
        predict=_predictors(done, method.tiles, sam, folder, say),
        minutes=minutes(folder),
        parameters=done.parameters,
        verdict=done.verdict,
        parts=len(train),
        calibration=calibration,
    )


def calibration_parts(training: Training, images: MaskedSet) -> MaskedSet:
    """Those that a trained row would be calibrated with."""
    method = training.method
    return divide_segment(images, method.split, method.seed)[1]


def _predictors(
    done: TrainedSegment, tiles: tuple[int, int], sam: LoadedSam, folder: Path, say: Say
) -> dict[str, Predict]:
    if not isinstance(done.network, PromptedSam):
        return {WHOLE: Running(done.network, tiles)}
    say(f"exported: {export_segment(done.network, sam.weights, folder / 'networks', done.examples, tiles)}")
    done.network.decoder.prompting = False  # the exported files have the heatmap
    return {WHOLE: ShippedSegment(folder / "networks"), ZEROED: Running(done.network, tiles)}
