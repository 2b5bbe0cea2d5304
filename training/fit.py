"""The training loop, read from top to bottom. It knows nothing of keypoints: a `Task` brings network, batches and loss."""

from __future__ import annotations

import copy
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from pipeline.errors import DataError
from training import checkpoint
from training.checkpoint import Checkpoint
from training.samples import Batch

Losses = dict[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)
Report = Callable[[str], None]
_WIDE = 64
_AHEAD = 3  # batches prepared while the network computes


class Task(Protocol):
    """One network to train."""

    @property
    def name(self) -> str:
        """Of the network, for progress."""
        ...

    def batch(self, step: int) -> Batch:
        """The batch of a step; a pure function of it, called from another thread."""
        ...

    def losses(self, network: nn.Module, batch: dict[str, Tensor]) -> Losses:
        """Named losses, already balanced; their sum is minimised. All but a flow's likelihood are 0 or more."""
        ...

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Figures on parts that are not trained on."""
        ...


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        muon: the learning rate of wide matrices, which Muon then learns in place of AdamW; 0 for AdamW alone.
        report_every, save_every_s: in steps and seconds; a report is one line, a save a checkpoint.
        silent_s: a line without losses after so long without a report.
    """

    steps: int
    learning_rate: float
    weight_decay: float
    muon: float = 0.0
    report_every: int = 100
    silent_s: float = 30.0
    validate_every: int = 1000
    save_every_s: float = 60.0
    warm_up: int = 200
    average: float = 0.998


def fit(
    task: Task,
    network: Network,
    schedule: Schedule,
    config: dict[str, Any],
    path: Path,
    *,
    resume: bool,
    report: Report,
) -> tuple[Network, Checkpoint]:
    """Train ``network`` and return its running average, which is what is exported.

    ``config`` is what decides the result: it is kept in the checkpoint at ``path`` and compared on ``resume``.
    ``report`` receives one line of progress at a time.

    Raises:
        DataError: the checkpoint is of another configuration, or the loss is no longer finite.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = _laid_out(network.to(device))
    averaged = copy.deepcopy(network).eval()
    optimiser = _Optimiser(network, schedule)
    state = Checkpoint(config)
    if resume and path.is_file():
        state = _restored(path, config, network, averaged, optimiser)
        report(f"{task.name}: goes on at step {state.step} of {schedule.steps}")
    started = saved = told = time.monotonic()
    first, spent = state.step, state.seconds
    sums = _Sums(task.name)
    for step, batch in _prefetched(task, first, schedule.steps):
        sums.add(step, _learn(task, network, optimiser, learning_rate(step, schedule), batch))
        _average(averaged, network, min(schedule.average, (1 + step) / (10 + step)))

        state.step = step + 1
        last = state.step == schedule.steps
        if state.step % schedule.report_every == 0 or last:
            row = {"step": float(state.step), **sums.means(), "learning_rate": learning_rate(step, schedule)}
            if state.step % schedule.validate_every == 0 or last:
                row |= task.validate(averaged)
            state.history.append(row)
            report(progress(task.name, row, schedule.steps, (time.monotonic() - started) / (state.step - first)))
            told = time.monotonic()
        elif time.monotonic() - told > schedule.silent_s:
            told = time.monotonic()
            row = {"step": float(state.step)}
            report(progress(task.name, row, schedule.steps, (told - started) / (state.step - first)))
        if last or time.monotonic() - saved > schedule.save_every_s:
            state.seconds = spent + time.monotonic() - started
            state.model, state.averaged = network.state_dict(), averaged.state_dict()
            state.optimiser = optimiser.state_dict()
            checkpoint.save(state, path)
            saved = time.monotonic()
    return averaged, state


@dataclass
class _Sums:
    """The losses of the steps since the last report."""

    where: str
    values: dict[str, float] = field(default_factory=dict)
    steps: Counter[str] = field(default_factory=Counter)

    def add(self, step: int, losses: dict[str, float]) -> None:
        """Add those of a step, which may lack some. Raises DataError where one is not finite."""
        for name, loss in losses.items():
            self.values[name] = self.values.get(name, 0.0) + loss
        self.steps.update(losses.keys())
        if not math.isfinite(sum(self.values.values())):
            raise DataError(
                f"the loss is not finite at step {step}",
                where=self.where,
                allowed="a lower learning_rate in the method",
            )

    def means(self) -> dict[str, float]:
        """The mean of each; they begin anew."""
        means = {name: value / self.steps[name] for name, value in self.values.items()}
        self.values, self.steps = {}, Counter()
        return means


def _laid_out(network: Network) -> Network:
    """The network with its convolutions' weights laid out for channels last: twice as fast on CPUs."""
    for weight in network.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return network


class _Optimiser:
    """AdamW, and beside it Muon for wide matrices where the schedule says so.

    Muon (Jordan et al. 2024; 2502.16982) makes every direction of a matrix learn at the same rate.
    """

    def __init__(self, network: nn.Module, schedule: Schedule) -> None:
        self.peak = schedule.learning_rate
        wide = _wide(network) if schedule.muon else []
        self.adamw = torch.optim.AdamW(_groups(network, schedule.weight_decay, wide), lr=self.peak)
        self.muon = torch.optim.Muon(wide, lr=schedule.muon, weight_decay=schedule.weight_decay) if wide else None
        self.ratio = schedule.muon / self.peak

    def step(self, rate: float) -> None:
        """One step at AdamW's learning rate; that of Muon rises and falls with it."""
        for optimiser, its_rate in ((self.adamw, rate), (self.muon, rate * self.ratio)):
            if optimiser is not None:
                for group in optimiser.param_groups:
                    group["lr"] = its_rate
                optimiser.step()

    def state_dict(self) -> dict[str, Any]:
        """AdamW's own, and Muon's in it."""
        return self.adamw.state_dict() | ({"muon": self.muon.state_dict()} if self.muon is not None else {})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take both from what `state_dict` gave."""
        muon = state.pop("muon", None)
        self.adamw.load_state_dict(state)
        if self.muon is not None:
            self.muon.load_state_dict(muon)


def _learn(
    task: Task, network: nn.Module, optimiser: _Optimiser, rate: float, batch: dict[str, Tensor]
) -> dict[str, float]:
    """One step on a batch at a learning rate; the losses that it began with."""
    device = next(network.parameters()).device
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    network.train()
    with torch.autocast(device.type, torch.bfloat16):
        losses = task.losses(network, batch)
    total = torch.stack(list(losses.values())).sum()
    network.zero_grad(set_to_none=True)
    torch.autograd.backward(total)
    nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimiser.step(rate)
    return {name: loss.item() for name, loss in losses.items()}


def _restored(
    path: Path, config: dict[str, Any], network: nn.Module, averaged: nn.Module, optimiser: _Optimiser
) -> Checkpoint:
    """A checkpoint, which all three go on from."""
    state = checkpoint.load(path, config)
    network.load_state_dict(state.model)
    averaged.load_state_dict(state.averaged)
    optimiser.load_state_dict(state.optimiser)
    return state


def learning_rate(step: int, schedule: Schedule) -> float:
    """Linear warm-up, then half a cosine down to 1%."""
    if step < schedule.warm_up:
        return schedule.learning_rate * (step + 1) / schedule.warm_up
    done = (step - schedule.warm_up) / max(1, schedule.steps - schedule.warm_up)
    return schedule.learning_rate * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * min(done, 1.0))))


def progress(name: str, row: dict[str, float], steps: int, seconds_a_step: float) -> str:
    """One line: where the training is, its losses, and how long it will take."""
    figures = "".join(f"{key} {value:.4g}  " for key, value in row.items() if key != "step")
    left = (steps - row["step"]) * seconds_a_step
    return f"{name} {row['step']:.0f}/{steps}  {figures}{seconds_a_step * 1e3:.0f} ms a step  {_clock(left)} left"


def _clock(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _groups(network: nn.Module, decay: float, others: list[nn.Parameter]) -> list[dict[str, Any]]:
    """All weights but ``others``. Only matrices decay; biases, norms and embeddings are left alone."""
    left = {id(weight) for weight in others}
    matrices = [
        m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear) and id(m.weight) not in left
    ]
    left |= {id(weight) for weight in matrices}
    rest = [weight for weight in network.parameters() if id(weight) not in left]
    return [{"params": matrices, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]


def _wide(network: nn.Module) -> list[nn.Parameter]:
    """Matrices of fully connected layers that both mix and give at least 64 values: those of a transformer's layers."""
    layers = (module for module in network.modules() if isinstance(module, nn.Linear))
    return [weight for layer in layers for weight in (cast(nn.Parameter, layer.weight),) if min(weight.shape) >= _WIDE]


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, keep: float) -> None:
    for old, new in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1.0 - keep)
        else:
            old.copy_(new)


def _prefetched(task: Task, first: int, steps: int) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Batches in order, prepared by threads: OpenCV and numpy let go of the interpreter while they work."""

    def make(step: int) -> dict[str, Tensor]:
        return {name: torch.from_numpy(array) for name, array in task.batch(step).items()}

    pool = ThreadPoolExecutor(_AHEAD, thread_name_prefix="batch")
    waiting: list[Future[dict[str, Tensor]]] = []
    try:
        for step in range(first, steps):
            while len(waiting) < _AHEAD and step + len(waiting) < steps:
                waiting.append(pool.submit(make, step + len(waiting)))
            yield step, waiting.pop(0).result()
    finally:
        pool.shutdown(cancel_futures=True)
