"""One row on one fold: trained, calibrated on parts of its own, then compared with the truth of the test parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.segment.part_sets import SETS
from benchmarks.segment.predictors import Perfect, milliseconds
from benchmarks.segment.results import WHOLE, Found, Record, rounded
from benchmarks.segment.trained import calibration_parts, trained
from benchmarks.segment.variants import Training
from training.masks.sample import MaskedSet
from training.networks.sam import LoadedSam
from training.segment_calibrate import calibrate_segment
from training.segment_evaluate import evaluate
from training.segment_maps import Predict
from training.segment_score import report
from training.segment_sheet import contact_sheet


@dataclass(frozen=True, slots=True)
class Bench:
    """Where things are, what is frozen, and who is told how it goes.

    Attributes:
        cache: rendered sets, trainings.
        data: folder of the photographs, or the one that it lies in; None without.
    """

    cache: Path
    data: Path | None
    sam: LoadedSam
    say: Callable[[str], None]

    def features(self, training: Training) -> Path:
        """What the frozen encoder gave of a fold's images: its rows differ in what they make of it. Some GB."""
        columns, rows = training.method.tiles
        return self.cache / f"features-{training.set_name}-{training.fold}-{columns}x{rows}-{self._digest}"

    @property
    def _digest(self) -> str:
        return self.sam.weights.rpartition(" ")[2]

    def folder(self, training: Training) -> Path:
        """Of one training."""
        return self.cache / "trainings" / f"{training.key.replace('/', '-')}-{self._digest}-{training.digest}"


def measured(training: Training, bench: Bench) -> Record:
    """Train, going on where a killed run stopped, then look at the test parts.

    Raises:
        DatumdError: the training failed, or a set cannot be had.
    """
    folder = bench.folder(training)
    folder.mkdir(parents=True, exist_ok=True)
    divided = SETS[training.set_name].divide(training.scale, bench.data, bench.cache, training.fold)
    say = partial(_say_of, bench.say, training.key)
    look = partial(_looked_at, test=divided.test, folder=folder, name=training.key, weights=bench.sam.weights, say=say)
    if training.variant.kind != "trained":
        calibration = calibration_parts(training, divided.train)
        perfect = Perfect(bench.sam, training.variant.kind)
        parts = 0, len(calibration), len(divided.test)
        found = {WHOLE: look(perfect, calibration=calibration, how=WHOLE)}
        return Record(training.digest, bench.sam.weights, {}, 0.0, 0, "", parts, found)
    done = trained(training, divided.train, bench.sam, folder, bench.features(training), say)
    found = {how: look(predict, calibration=done.calibration, how=how) for how, predict in done.predict.items()}
    return Record(
        training.digest,
        bench.sam.weights,
        training.plain,
        round(done.minutes, 2),
        done.parameters,
        done.verdict,
        (done.parts, len(done.calibration), len(divided.test)),
        found,
    )


def _looked_at(
    predict: Predict,
    *,
    calibration: MaskedSet,
    how: str,
    test: MaskedSet,
    folder: Path,
    name: str,
    weights: str,
    say: Callable[[str], None],
) -> Found:
    limits = calibrate_segment(predict, calibration).limits
    came_out = evaluate(predict, limits, test)
    figures = report(came_out.parts, came_out.counts, lost=0, recipe=name, view=how, weights=weights)
    contact_sheet(came_out.parts, predict, limits, test, folder / f"worst-{how}.png")
    say(f"{how}: IoU {figures.iou or 0.0:.4f}, AUROC {figures.image_auroc or 0.0:.4f}")
    return Found(round(milliseconds(predict, test), 2), rounded(figures))


def _say_of(say: Callable[[str], None], key: str, line: str) -> None:
    say(f"{key}: {line}")
