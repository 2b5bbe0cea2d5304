"""Pretrains the small SAM and writes it as an ordinary Hugging Face folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from training import segment_curves
from training.fit import Network, Schedule, Task, fit
from training.networks.sam import LoadedSam, load_sam, save_sam
from training.networks.tiny_sam import cut, learn_from, tiny_sam
from training.sam_task import SamTask
from training.sam_teacher import Student, Teacher, TeacherTask
from training.segment_method import SamStage, SamTinyMethod

_EVERY = 250


def train_sam(
    method: SamTinyMethod,
    out: Path,
    work: Path,
    *,
    resume: bool,
    report: Callable[[str], None],
    teacher: Path | None = None,
) -> LoadedSam:
    """Pretrain on scenes that are drawn on the way; needs no data.

    Args:
        method: how.
        out: the folder of the model; written when all is done.
        work: checkpoints and curves; may be deleted afterwards.
        resume: go on from the last checkpoint.
        report: receives one line at a time.
        teacher: weights of a ShuffleNetV2 that knows photographs; without them the stages that learn from it are left out.

    Raises:
        DataError: a checkpoint is of another method, the teacher cannot be read, or something cannot be written.
    """
    torch.manual_seed(method.seed)
    network = tiny_sam(method.stage[-1].side)
    plain = msgspec.json.decode(msgspec.json.encode(method)) | {"parameters": _count(network)}
    teaching = None if teacher is None else _teacher(teacher, method, report)
    plain |= {} if teaching is None else {"teacher": teaching.said}
    taught: Student | None = None
    seconds = 0.0
    for stage in method.stage:
        run = _Stage(method, stage, plain | {"side": stage.side, "learn": stage.learn}, work, resume, report)
        corner = cut(network, stage.side)
        if stage.learn == "prompts":
            if taught is not None:  # a few thousand prompts would take away what it learnt from its teacher
                corner.vision_encoder.requires_grad_(requires_grad=False)
            grid = LoadedSam(corner, method.name).mask_wh[0]
            corner, spent = run.fit(SamTask(method, stage.side, grid, stage.images), corner)
        elif teaching is None:
            report(f"sam_tiny at {stage.side} px: no --teacher, so this stage is left out")
            continue
        else:
            task = TeacherTask(method, teaching, stage.side, stage.images)
            taught, spent = run.fit(task, Student(corner, teaching.channels, taught))
            corner.vision_encoder.load_state_dict(taught.vision.state_dict())
        learn_from(network, corner)
        seconds += spent
    save_sam(network, out)
    report(f"{out}: {_count(network) / 1e6:.2f} M parameters, {seconds / 60:.1f} min")
    return load_sam(out)


@dataclass(frozen=True)
class _Stage:
    """One stage of the pretraining: its checkpoint, its curves, its line when it is done."""

    method: SamTinyMethod
    stage: SamStage
    config: dict[str, Any]
    work: Path
    resume: bool
    report: Callable[[str], None]

    def fit(self, task: Task, network: Network) -> tuple[Network, float]:
        """The network, trained, and how many seconds that took."""
        method, steps = self.method, self.stage.steps
        schedule = Schedule(
            steps, method.learning_rate, method.weight_decay, method.muon, report_every=50, validate_every=_EVERY
        )
        name = f"{'sam' if self.stage.learn == 'prompts' else 'teacher'}-{self.stage.side}"
        path = self.work / f"{name}.checkpoint"
        network, state = fit(task, network, schedule, self.config, path, resume=self.resume, report=self.report)
        segment_curves.draw(task.name, state.history, self.work / f"curves-{name}.png")
        self.report(f"{task.name}: {state.seconds / 60:.1f} min, {segment_curves.verdict(state.history)}")
        return network, state.seconds


def _teacher(file: Path, method: SamTinyMethod, report: Callable[[str], None]) -> Teacher:
    """The teacher, where `fit` will train."""
    teacher = Teacher(file, method.rendered).to("cuda" if torch.cuda.is_available() else "cpu")
    report(f"teacher: {teacher.said}")
    return teacher


def _count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())
