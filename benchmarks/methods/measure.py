"""One row group of the table: a training, and what its networks find on every set."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.methods.decodings import FIRST, decodings, milliseconds, parameters
from benchmarks.methods.results import Decoding, Figures, Record, figures
from benchmarks.methods.sets import RenderedSet, dataset
from benchmarks.methods.trained import trained, verdicts
from benchmarks.methods.variants import Training
from pipeline.geometry import Region
from pipeline.sigma import FILE_NAME as SIGMA_FILE
from pipeline.sigma import read_sigma
from pipeline.thresholds import FILE_NAME, read_thresholds
from training.calibrate import calibrate_view
from training.data import Dataset
from training.evaluate import evaluate
from training.method import Method
from training.score import report
from training.shipped import ShippedView
from training.splits import split
from training.worst_cases import contact_sheet


@dataclass(frozen=True, slots=True)
class Bench:
    """Where sets and trainings are kept, and who is told how it goes."""

    cache: Path
    say: Callable[[str], None]

    def folder(self, training: Training) -> Path:
        """Of one training."""
        return self.cache / "trainings" / f"{training.key.replace('/', '-')}-{training.digest}"


def measured(training: Training, bench: Bench, tests: dict[str, RenderedSet]) -> Record:
    """Train, going on where a killed run stopped, then calibrate and compare with the truth of ``tests``.

    Without tests only the error on the validation parts is found, by which settings are chosen.

    Raises:
        DatumdError: the training failed, or a set cannot be made.
    """
    folder, method = bench.folder(training), training.method
    whole = dataset(bench.cache, *training.sets.train)
    parts = split(whole, calibration=method.split.calibration, validation=method.split.validation, seed=method.seed)

    def say(line: str) -> None:
        bench.say(f"{training.key}: {line}")

    canvas = bench.cache / f"canvas-{len(whole.parts)}-{method.view.large_wh[0]}"
    minutes = trained(method, whole, parts, folder, canvas, say)
    sets = {name: dataset(bench.cache, one) for name, one in tests.items()}
    found, validation_px = {}, math.nan
    for name, view in decodings(folder / "recipe", folder):
        calibrate_view(
            view, whole, parts.calibration, method.view, false_reject=method.false_reject, pictures=folder / name
        )
        if name == FIRST:
            own = Dataset(whole.keypoints, tuple(whole.parts[index] for index in parts.validation), whole.name)
            validation_px = _compared(view, method, own, name, None).mean
            say(f"{name}: mean {validation_px:.3g} px on the validation parts")
        if not sets:
            continue
        rows = {}
        for where, test in sets.items():
            rows[where] = _compared(view, method, test, name, folder / f"worst-{name}-{where}.png")
            say(f"{name}, {where}: mean {rows[where].mean:.3g}, median {rows[where].median:.3g} px")
        some = next(iter(sets.values()))
        found[name] = Decoding(parameters(view), round(milliseconds(view, method.view, some), 2), rows)
    return Record(training.digest, training.plain, round(minutes, 2), validation_px, verdicts(folder), found)


def _compared(view: Path, method: Method, test: Dataset, name: str, sheet: Path | None) -> Figures:
    """A view's figures on one set, found in the region that the method fixes."""
    fixed = method.view.locate.fixed
    regions = [] if fixed is None else [Region(*fixed)]
    scored, cases = evaluate(
        ShippedView(view),
        read_thresholds(view / FILE_NAME, test.keypoints),
        lambda *_: regions,
        test,
        sigma=read_sigma(view / SIGMA_FILE, test.keypoints),
    )
    if sheet is not None:
        contact_sheet(cases, test.keypoints, sheet)
    return figures(report(scored, test.keypoints, recipe=method.name, view=name), first=name == FIRST)
