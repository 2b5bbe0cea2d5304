"""Trains a keypoint language model on drawn families."""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn

from pipeline.errors import DataError
from training import checkpoint
from training.checkpoint import Checkpoint
from training.networks.keypoint_llm import KeypointLlm
from training.teach.losses import losses, seeing_losses
from training.teach.model_folder import TeachCard, build, save
from training.teach.questions import Batch, batch
from training.teach.rendered_families import RenderedFamilies, rendered_families
from training.teach.speaking import Talk, speaking_losses, talk
from training.teach.teach_method import TeachMethod

_AVERAGE, _WARM_UP, _EVERY, _SAVE_S, _AHEAD = 0.99, 50, 25, 120.0, 3
_WORDS = 2.0  # learning rate of LoRA modules and added words, in that of the rest
_SPOKEN = "language.", "words_"
Report = Callable[[str], None]


@dataclass(frozen=True)
class TeachRun:
    """One training.

    Attributes:
        llm, vision: folders of the models that it stands on; no vision trains an encoder from nothing.
        out: the model's folder; written when all is done.
        work: the checkpoint; may be deleted afterwards.
        families: folder of rendered families, by default one that all trainings share.
        init: a checkpoint of the same models and sizes whose weights are started from, by another number of steps or another rate.
    """

    method: TeachMethod
    llm: Path
    vision: Path | None
    out: Path
    work: Path
    resume: bool
    report: Report
    families: Path | None = None
    init: Path | None = None


def teach(run: TeachRun) -> TeachCard:
    """Train and write the model.

    Raises:
        DataError: the checkpoint is of another training, the loss is not finite, or something cannot be written.
        NetworkError: a model cannot be used.
    """
    method = run.method
    built = build(run.llm, run.vision, side=method.side, lora_rank=method.lora_rank, seed=method.seed)
    if run.init is not None:
        _start_from(built.network, run.init)
    trained = sum(weight.numel() for weight in built.network.parameters() if weight.requires_grad)
    run.report(f"language: {built.card.language}; vision: {built.card.vision}; {trained / 1e6:.2f} M are trained")
    families = rendered_families(0, method.families, method.frames, folder=run.families, report=run.report)
    state = _fit(built.network, families, run)
    return save(built, run.out, state.step, state.seconds / 60)


def _start_from(network: KeypointLlm, path: Path) -> None:
    """Take over what is not the language model's; raises DataError where it does not fit."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["averaged"], strict=False)
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, pickle.UnpicklingError) as problem:
        said = (str(problem).splitlines() or [type(problem).__name__])[0]
        raise DataError(f"cannot be started from: {said}", where=str(path), allowed="a teach.checkpoint") from None


def _fit(network: KeypointLlm, families: RenderedFamilies, run: TeachRun) -> Checkpoint:
    """The loop. The network ends as the running average of its steps, in evaluation mode."""
    method, path = run.method, run.work / "teach.checkpoint"
    run.work.mkdir(parents=True, exist_ok=True)
    config = msgspec.to_builtins(method) | {"llm": str(run.llm.name), "vision": str(run.vision and run.vision.name)}
    network.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    averaged = {name: tensor.clone() for name, tensor in network.trained().items()}
    optimiser = torch.optim.AdamW(_groups(network, method.weight_decay), lr=method.learning_rate)
    state, total = Checkpoint(config), sum(_stages(method))
    if run.resume and path.is_file():
        state = checkpoint.load(path, config)
        network.load_state_dict(state.model, strict=False)
        averaged = dict(state.averaged)
        optimiser.load_state_dict(state.optimiser)
        run.report(f"goes on at step {state.step} of {total}")
    started = saved = time.monotonic()
    spent, first = state.seconds, state.step
    sums = _Sums()
    for step, stage, questions in _prefetched(families, method, first):
        rate = _rate(step, method)
        sums.add(step, _learn(network, optimiser, rate, questions, stage))
        _average(averaged, network, min(_AVERAGE, (1 + step) / (10 + step)))
        state.step = step + 1
        if state.step % _EVERY == 0:
            each = (time.monotonic() - started) / (state.step - first)
            means = sums.means()
            run.report(_line(state.step, total, means, each))
            state.history.append({"step": float(state.step)} | means)
        if state.step == total or time.monotonic() - saved > _SAVE_S:
            state.seconds = spent + time.monotonic() - started
            state.model, state.averaged, state.optimiser = network.trained(), averaged, optimiser.state_dict()
            checkpoint.save(state, path)
            saved = time.monotonic()
    network.load_state_dict(averaged, strict=False)
    network.cpu().eval()
    return state


def _stages(method: TeachMethod) -> tuple[int, int, int]:
    """Steps of vision alone, of the language model alone, and of both."""
    return method.seeing, method.speaking, method.steps


def _stage(step: int, method: TeachMethod) -> tuple[int, int, int]:
    """Number of the stage that a step is of, its first step, and its steps."""
    first = 0
    for number, steps in enumerate(_stages(method)):
        if step < first + steps:
            return number, first, steps
        first += steps
    raise IndexError(step)


def _learn(
    network: KeypointLlm, optimiser: torch.optim.Optimizer, rate: float, questions: Batch | Talk, stage: int
) -> dict[str, float]:
    for group in optimiser.param_groups:
        group["lr"] = rate * group["times"]
    network.train()
    if isinstance(questions, Talk):
        parts = speaking_losses(network, questions)
    else:
        parts = (seeing_losses if stage == 0 else losses)(network, questions)
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(torch.stack(list(parts.values())).sum())
    nn.utils.clip_grad_norm_(network.parameters(), 2.0)
    optimiser.step()
    return {name: part.item() for name, part in parts.items()}


@torch.no_grad()
def _average(averaged: dict[str, Tensor], network: KeypointLlm, keep: float) -> None:
    for name, tensor in network.trained().items():
        if tensor.is_floating_point():
            averaged[name].lerp_(tensor, 1.0 - keep)
        else:
            averaged[name].copy_(tensor)


def _rate(step: int, method: TeachMethod) -> float:
    """In each stage linear warm-up, then half a cosine down to 2%."""
    _, first, steps = _stage(step, method)
    if step - first < _WARM_UP:
        return method.learning_rate * (step - first + 1) / _WARM_UP
    done = (step - first - _WARM_UP) / max(1, steps - _WARM_UP)
    return method.learning_rate * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * min(done, 1.0))))


def _groups(network: nn.Module, decay: float) -> list[dict[str, object]]:
    """Only matrices decay."""
    trained = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
    words = [weight for name, weight in trained.items() if name.startswith(_SPOKEN)]
    rest = [weight for name, weight in trained.items() if not name.startswith(_SPOKEN)]
    return [
        {"params": [weight for weight in rest if weight.dim() > 1], "weight_decay": decay, "times": 1.0},
        {"params": [weight for weight in rest if weight.dim() <= 1], "weight_decay": 0.0, "times": 1.0},
        {"params": words, "weight_decay": 0.0, "times": _WORDS},
    ]


@dataclass
class _Sums:
    """The losses since the last report."""

    values: dict[str, float] = field(default_factory=dict)
    steps: int = 0

    def add(self, step: int, parts: dict[str, float]) -> None:
        """Add those of a step. Raises DataError where one is not finite."""
        if not math.isfinite(sum(parts.values())):
            raise DataError(f"the loss is not finite at step {step}", allowed="a lower learning_rate in the method")
        for name, part in parts.items():
            self.values[name] = self.values.get(name, 0.0) + part
        self.steps += 1

    def means(self) -> dict[str, float]:
        """The mean of each; they begin anew."""
        means = {name: value / self.steps for name, value in self.values.items()}
        self.values, self.steps = {}, 0
        return means


def _line(step: int, steps: int, means: dict[str, float], each: float) -> str:
    figures = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
    return f"teach {step}/{steps}  {figures}  {each * 1e3:.0f} ms a step  {(steps - step) * each / 60:.0f} min left"


def _prefetched(families: RenderedFamilies, method: TeachMethod, first: int) -> Iterator[tuple[int, int, Batch | Talk]]:
    """Steps, their stages and batches in order, prepared beside the training."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="questions")
    waiting: list[Future[Batch | Talk]] = []
    total = sum(_stages(method))
    try:
        for step in range(first, total):
            while len(waiting) < _AHEAD and step + len(waiting) < total:
                waiting.append(pool.submit(_prepared, families, method, step + len(waiting)))
            yield step, _stage(step, method)[0], waiting.pop(0).result()
    finally:
        pool.shutdown(cancel_futures=True)


def _prepared(families: RenderedFamilies, method: TeachMethod, step: int) -> Batch | Talk:
    """What is learnt from in a step."""
    seed = (method.seed, 1, step)
    if _stage(step, method)[0] == 1:
        return talk(method, seed)
    return batch(families, method, range(method.families - method.held), seed)
