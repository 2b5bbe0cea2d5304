"""From labelled images to a view of a recipe: every network of the method, in the order it happens."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from calibration.visibility import LEAST_FIRST, fuse
from pipeline.network import CoarseCard, PosedCard, RefineCard
from pipeline.shape import FILE_NAME as SHAPE_FILE
from pipeline.shape import ShapeModel, write_shape
from training import curves
from training.calibrate import calibrate_view
from training.canvas import Canvas, prepare
from training.checkpoint import Checkpoint
from training.data import Dataset, digest
from training.division import divide
from training.export import export, rescale, ship
from training.fit import Schedule, fit
from training.framing import Framing, Plain, Posed, pose_of
from training.keypoint_task import KeypointTask
from training.method import CoarseMethod, Method, RefineMethod, ShapeMethod
from training.networks.backbone import initialise
from training.networks.build import build
from training.networks.keypoint_network import KeypointNetwork
from training.networks.refine import REFINERS, Refine
from training.refine_samples import RefineSamples
from training.refine_task import RefineTask
from training.samples import ImageSamples
from training.shapes import learn_shape
from training.shipped import ShippedView
from training.shipped_errors import Found, find
from training.splits import Splits
from training.symmetry import flip_order

COARSE, POSED, REFINE = "coarse", "posed", "refine"
_STREAM = {COARSE: 1, REFINE: 2, POSED: 3}


@dataclass(frozen=True)
class Run:
    """One training: what is trained on what, and where things go.

    Attributes:
        folder: the view's folder in the recipe; written when all is done.
        work: checkpoints, curves and the cut images; may be deleted afterwards.
        report: receives one line at a time.
        parts: which parts are for what; by default as the method's ``split`` says.
        init: weights to start the feature extractors from, as `initialise` reads them.
    """

    method: Method
    dataset: Dataset
    folder: Path
    work: Path
    resume: bool
    report: Callable[[str], None]
    parts: Splits | None = None
    init: Path | None = None


def train(run: Run) -> None:
    """Train, export, check and calibrate one view.

    Raises:
        DataError: the data cannot be used, or a checkpoint is of another method.
        NetworkError: an exported network differs from the trained one.
    """
    method, dataset = run.method, run.dataset
    parts, shares = divide(dataset, method, run.parts)
    run.report(
        f"{len(dataset.parts)} parts in {len(dataset.images)} images: {len(parts.train)} to train, "
        f"{len(parts.calibration)} to calibrate, {len(parts.validation)} to validate"
    )
    canvas = prepare(dataset, method.view, method.context, run.work)
    training = Training(run, canvas, parts)
    training.keypoints()
    if method.refine is not None:
        training.refine(method.refine, shares)
    training.weigh()
    training.finish()


class Training:
    """The networks of one view as they come into being; `stage` holds what has been exported so far."""

    def __init__(self, run: Run, canvas: Canvas, parts: Splits) -> None:
        self.run, self.canvas, self.parts = run, canvas, parts
        self.stage = run.work / "networks"
        self.networks: dict[str, KeypointNetwork | Refine] = {}
        self.states: dict[str, Checkpoint] = {}
        self.found: list[Found] = []
        self.shape = self._shape()
        cascade = run.method.cascade
        self.pose = None if cascade is None else pose_of(self.shape, cascade.image_wh, cascade.fill)
        shutil.rmtree(self.stage, ignore_errors=True)

    def keypoints(self) -> None:
        """The first network and, in a cascade, the second; each is exported and tried on the calibration parts."""
        method = self.run.method
        plain = Plain(method.view.small_wh, method.view.large_wh)
        self._keypoints(COARSE, method.coarse, plain)
        if method.cascade is not None and self.pose is not None:
            self._keypoints(POSED, method.cascade, Posed(method.cascade.image_wh, self.pose, method.cascade))

    def refine(self, refine: RefineMethod, shares: Sequence[NDArray[np.int64]]) -> None:
        """The refine network, from the errors that the networks before it make on parts they have not seen.

        Args:
            refine: its section of the method.
            shares: the training parts in folds; without any, the errors are those on the calibration parts.
        """
        run, method, canvas = self.run, self.run.method, self.canvas
        residuals = self._residuals(shares) if shares else self.found[-1].error_canvas_px
        start = self._find(self.parts.validation).xy_canvas_px
        torch.manual_seed(method.seed)
        network = REFINERS[refine.size](len(run.dataset.keypoints), len(refine.spans_px), refine.patch)
        mean = np.array(self.shape.mean)
        samples = RefineSamples(canvas, self.parts.train, method, refine, residuals, method.seed, self._mirror(), mean)
        self._fit(REFINE, RefineTask(samples, self.parts.validation, start), network, refine)
        self._export(REFINE)
        self.found.append(self._find(self.parts.calibration))

    def weigh(self) -> None:
        """Weigh the networks' visibilities against each other on the calibration parts; they ship as a plain sum."""
        sums = [found.margin.ravel() for found in self.found]
        margins = np.stack([sums[0], *(b - a for a, b in pairwise(sums))], axis=1)
        refine = self.run.method.refine
        is_posed = self.pose is not None or (refine is not None and refine.turned)
        factors = fuse(margins, self.found[-1].visible.ravel(), first=LEAST_FIRST if is_posed else 0.0)
        for factor, (name, network) in zip(factors, self.networks.items(), strict=True):
            network.visibility_scale.fill_(float(factor))
            rescale(self.stage / f"{name}.onnx", float(factor))
        named = zip(factors, self.networks, strict=True)
        self.run.report("visibility = " + " + ".join(f"{factor:.2f} x {name}" for factor, name in named))

    def finish(self) -> None:
        """Write the view's folder, with thresholds for the networks as they ship."""
        run, work = self.run, self.run.work
        curves.draw({name: state.history for name, state in self.states.items()}, work / "curves.png")
        for name, state in self.states.items():
            run.report(f"{name}: {state.seconds / 60:.1f} min, {curves.verdict(state.history)}")
        if run.method.shape is not None:
            write_shape(self.stage / SHAPE_FILE, self.shape)
        calibrated = calibrate_view(
            self.stage,
            run.dataset,
            self.parts.calibration,
            run.method.view,
            false_reject=run.method.false_reject,
            pictures=work,
        )
        for line in calibrated.lines():
            run.report(line)
        ship(self.stage, run.folder)
        run.report(f"{run.folder}: {', '.join(sorted(path.name for path in self.stage.iterdir()))}")
        run.report(f"pictures in {work}: curves.png, {', '.join(calibrated.pictures)}")

    def _keypoints(self, name: str, method: CoarseMethod, framing: Framing) -> None:
        run = self.run
        samples = ImageSamples(
            canvas=self.canvas,
            parts=self.parts.train,
            method=run.method,
            framing=framing,
            mean_shape=np.array(self.shape.mean),
            mirror=self._mirror(),
            stream=_STREAM[name],
            size=method.batch,
        )
        torch.manual_seed(run.method.seed)
        network = build(method, len(run.dataset.keypoints), framing.wh, samples.shapes())
        if run.init is not None:
            run.report(f"{name}: {initialise(network, run.init)}")
        self._fit(name, KeypointTask(name, samples, self.parts.validation), network, method)
        self._export(name)
        self.found.append(self._find(self.parts.calibration))

    def _fit(
        self, name: str, task: KeypointTask | RefineTask, network: KeypointNetwork | Refine, method: msgspec.Struct
    ) -> None:
        assert isinstance(method, CoarseMethod | RefineMethod)  # noqa: S101 - the two that have steps
        every = max(100, method.steps // 1000 * 100)
        schedule = Schedule(method.steps, method.learning_rate, method.weight_decay, validate_every=every)
        path, run = self.run.work / f"{name}.checkpoint", self.run
        self.networks[name], self.states[name] = fit(
            task, network, schedule, self._config(method), path, resume=run.resume, report=run.report
        )

    def _residuals(self, shares: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
        """Errors of the networks before the refine network on every training part, from networks that never saw it."""
        run, rows = self.run, []
        for number, share in enumerate(shares):
            others = replace(self.parts, train=np.setdiff1d(self.parts.train, share), calibration=share)
            work = run.work / f"fold{number}"
            report = _prefixed(run.report, f"fold {number + 1} of {len(shares)}: ")
            fold = Training(replace(run, work=work, report=report), self.canvas, others)
            fold.keypoints()
            rows.append(fold.found[-1].error_canvas_px)
        return np.concatenate(rows)

    def _find(self, parts: NDArray[np.int64]) -> Found:
        run = self.run
        return find(ShippedView(self.stage), run.dataset, parts, run.method.view, self.canvas)

    def _export(self, name: str) -> None:
        method, network = self.run.method, self.networks[name]
        shared: dict[str, Any] = {
            "keypoints": list(self.run.dataset.keypoints),
            "large_wh": method.view.large_wh,
            "has_sigma": True,
        }
        path = self.stage / f"{name}.onnx"
        if name == COARSE:
            worst = export(network, CoarseCard(small_wh=method.view.small_wh, **shared), path)
        elif method.cascade is not None and self.pose is not None and name == POSED:
            image_wh, pose = method.cascade.image_wh, self.pose
            worst = export(
                network, PosedCard(image_wh=image_wh, pose_px=[(x, y) for x, y in pose.tolist()], **shared), path
            )
        else:
            assert method.refine is not None  # noqa: S101 - it has a refine network
            refine, upright = method.refine, list(self.shape.mean) if method.refine.turned else None
            card = RefineCard(patch=refine.patch, spans_px=list(refine.spans_px), pose=upright, **shared)
            worst = export(network, card, path)
        self.run.report(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, at most {worst:.1g} px from torch")

    def _shape(self) -> ShapeModel:
        canvas, train = self.canvas, self.parts.train
        xy, known = canvas.xy_canvas_px[train].astype(np.float64), canvas.known[train]
        return learn_shape(xy, known, list(self.run.dataset.keypoints), self.run.method.shape or ShapeMethod())

    def _mirror(self) -> NDArray[np.int64]:
        return flip_order(self.run.dataset.keypoints, self.run.method.symmetric)

    def _config(self, part: msgspec.Struct) -> dict[str, Any]:
        """All that decides what one network learns, as plain values."""
        method = self.run.method
        shared = {
            "view": method.view,
            "augment": method.augment,
            "split": method.split,
            "context": method.context,
            "seen_radius_px": method.seen_radius_px,
            "symmetric": method.symmetric,
            "seed": method.seed,
            "keypoints": list(self.run.dataset.keypoints),
            "labels": digest(self.run.dataset, self.parts.train),
            "init": hashlib.sha256(self.run.init.read_bytes()).hexdigest() if self.run.init else "",
        }
        if isinstance(part, RefineMethod):  # it learns from the errors of those before it
            shared |= {"coarse": method.coarse, "cascade": method.cascade}
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode({**shared, "network": part}))
        if not method.augment.tilt:  # what is switched off is not named: older checkpoints do not know it
            del plain["augment"]["tilt"]
        return plain


def _prefixed(report: Callable[[str], None], prefix: str) -> Callable[[str], None]:
    return lambda line: report(prefix + line)
