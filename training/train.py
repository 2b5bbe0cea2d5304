"""From labelled images to a view of a recipe: both networks, exported, checked and calibrated, in the order it happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from calibration.visibility import LEAST_ABOVE, calibrate, fuse, raised
from pipeline.errors import DataError
from pipeline.geometry import Region
from pipeline.network import CoarseCard, RefineCard
from pipeline.thresholds import FILE_NAME, Thresholds, write_thresholds
from training import curves
from training.canvas import Canvas, prepare, read_grey, region_of
from training.checkpoint import Checkpoint
from training.coarse_to_fine import CoarseTask, coarse_predictions
from training.data import VISIBLE, Dataset
from training.export import export_coarse, export_refine, scaled_visibility
from training.fit import Schedule, fit
from training.method import CoarseMethod, Method, RefineMethod
from training.networks.refine import REFINERS, Refine
from training.networks.regression import Regression, regression
from training.refine_samples import RefineSamples
from training.refine_task import RefineTask, refine_predictions
from training.samples import CoarseSamples
from training.shipped import ShippedView
from training.splits import Splits, split


@dataclass(frozen=True)
class Run:
    """One training: what is trained on what, and where things go.

    Attributes:
        folder: the view's folder in the recipe.
        work: checkpoints, curves and the cut images; may be deleted afterwards.
        report: receives one line at a time.
    """

    method: Method
    dataset: Dataset
    folder: Path
    work: Path
    resume: bool
    report: Callable[[str], None]


def train(run: Run) -> None:
    """Train, export, check and calibrate one view.

    Raises:
        DataError: the data cannot be used, or a checkpoint is of another method.
        NetworkError: an exported network differs from the trained one.
    """
    method, dataset = run.method, run.dataset
    parts = split(dataset, calibration=method.split.calibration, validation=method.split.validation, seed=method.seed)
    run.report(
        f"{len(dataset.parts)} parts in {len(dataset.images)} images: {len(parts.train)} to train, "
        f"{len(parts.calibration)} to calibrate, {len(parts.validation)} to validate"
    )
    canvas = prepare(dataset, method.view, method.context, run.work)
    coarse, first = _train_coarse(run, canvas, parts)
    states = {"coarse": first}
    refine = None
    if method.refine is not None:
        refine, second = _train_refine(run, method.refine, canvas, parts, coarse)
        states["refine"] = second
        coarse, refine = _fused(run, method.refine, canvas, parts, coarse, refine)
    curves.draw({name: state.history for name, state in states.items()}, run.work / "curves.png")
    for name, state in states.items():
        run.report(f"{name}: {state.seconds / 60:.1f} min, {curves.verdict(state.history)}")
    _export(run, coarse, refine)
    thresholds = calibrate_view(run.folder, dataset, parts.calibration, method)
    write_thresholds(run.folder / FILE_NAME, thresholds)
    for name in raised(thresholds):
        run.report(
            f"warning: {name} is often taken for missing when it is there; its visible_above is kept at {LEAST_ABOVE}, so "
            f"that more than {method.false_reject:.1%} of such parts are rejected: check its labels, or give more of them"
        )
    run.report(f"{run.folder / FILE_NAME}: temperature {thresholds.temperature}, curves in {run.work / 'curves.png'}")


def _train_coarse(run: Run, canvas: Canvas, parts: Splits) -> tuple[Regression, Checkpoint]:
    method = run.method
    torch.manual_seed(method.seed)
    network = regression(
        len(run.dataset.keypoints),
        method.view.small_wh,
        backbone=method.coarse.backbone,
        compressed=method.coarse.compressed,
    )
    task = CoarseTask(CoarseSamples(canvas, parts.train, method, method.seed), parts.validation)
    schedule = _schedule(method.coarse)
    path = run.work / "coarse.checkpoint"
    trained, state = fit(
        task, network, schedule, _config(run, method.coarse), path, resume=run.resume, report=run.report
    )
    return trained, state


def _train_refine(
    run: Run, refine: RefineMethod, canvas: Canvas, parts: Splits, coarse: Regression
) -> tuple[Refine, Checkpoint]:
    """The first network's errors are taken on the calibration parts: on those it was trained on they are too small."""
    method = run.method
    found, _ = coarse_predictions(coarse, canvas, parts.calibration, method)
    known = canvas.known[parts.calibration, :, None]
    residuals = np.where(known, found - canvas.xy_canvas_px[parts.calibration], 0.0).astype(np.float32)
    start, _ = coarse_predictions(coarse, canvas, parts.validation, method)
    torch.manual_seed(method.seed)
    network = REFINERS[refine.size](len(run.dataset.keypoints), len(refine.spans_px), refine.patch)
    samples = RefineSamples(canvas, parts.train, method, refine, residuals, method.seed)
    task = RefineTask(samples, parts.validation, start)
    schedule = _schedule(refine)
    path = run.work / "refine.checkpoint"
    trained, state = fit(task, network, schedule, _config(run, refine), path, resume=run.resume, report=run.report)
    return trained, state


def _schedule(part: CoarseMethod | RefineMethod) -> Schedule:
    return Schedule(
        part.steps, part.learning_rate, part.weight_decay, validate_every=max(100, part.steps // 1000 * 100)
    )


def _config(run: Run, part: msgspec.Struct) -> dict[str, Any]:
    """All that decides what one network learns, as plain values."""
    method = run.method
    shared = {
        "view": method.view,
        "augment": method.augment,
        "split": method.split,
        "context": method.context,
        "seen_radius_px": method.seen_radius_px,
        "seed": method.seed,
        "keypoints": list(run.dataset.keypoints),
        "parts": len(run.dataset.parts),
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode({**shared, "network": part}))
    return plain


def _fused(
    run: Run, method: RefineMethod, canvas: Canvas, parts: Splits, coarse: Regression, refine: Refine
) -> tuple[Regression, Refine]:
    """Weigh the two networks' visibility against each other on the calibration parts; ship them as a plain sum."""
    start, first = coarse_predictions(coarse, canvas, parts.calibration, run.method)
    _, second = refine_predictions(refine, canvas, parts.calibration, start, method)
    margins = np.stack([(logits[..., 0] - logits[..., 1]).ravel() for logits in (first, second)], axis=1)
    factors = fuse(margins, (canvas.state[parts.calibration] == VISIBLE).ravel())
    run.report(f"visibility = {factors[0]:.2f} x coarse + {factors[1]:.2f} x refine")
    return scaled_visibility(coarse, refine, factors)


def _export(run: Run, coarse: Regression, refine: Refine | None) -> None:
    method, keypoints = run.method, list(run.dataset.keypoints)
    run.folder.mkdir(parents=True, exist_ok=True)
    card = CoarseCard(keypoints=keypoints, large_wh=method.view.large_wh, small_wh=method.view.small_wh)
    path = run.folder / "coarse.onnx"
    worst = export_coarse(coarse, card, path)
    run.report(f"{path}: {path.stat().st_size / 1e6:.2f} MB, at most {worst:.1g} px from torch")
    path = run.folder / "refine.onnx"
    path.unlink(missing_ok=True)
    if refine is not None and method.refine is not None:
        second = RefineCard(
            keypoints=keypoints,
            large_wh=method.view.large_wh,
            patch=method.refine.patch,
            spans_px=list(method.refine.spans_px),
        )
        worst = export_refine(refine, second, path)
        run.report(f"{path}: {path.stat().st_size / 1e6:.2f} MB, at most {worst:.1g} px from torch")


def calibrate_view(folder: Path, dataset: Dataset, parts: NDArray[np.int64], method: Method) -> Thresholds:
    """Thresholds of the networks in ``folder``, run as they ship, from the given parts.

    Raises:
        DataError: no such parts, or an image cannot be read.
    """
    if not len(parts):
        raise DataError("no parts to calibrate on", where="split.calibration", allowed="a larger share")
    view = ShippedView(folder)
    margins, visible = [], []
    for index in parts:
        part = dataset.parts[index]
        found = view.predict(read_grey(part), [Region(*region_of(part, method.view))])[0]
        margins.append(found.logits[:, 0] - found.logits[:, 1])
        visible.append(part.state == VISIBLE)
    return calibrate(np.stack(margins), np.stack(visible), dataset.keypoints, false_reject=method.false_reject)
