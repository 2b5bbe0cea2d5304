"""Pretrains the small SAM and writes it as an ordinary Hugging Face folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import torch
from torch import nn

from training import segment_curves
from training.fit import Schedule, fit
from training.networks.sam import LoadedSam, load_sam, save_sam
from training.networks.tiny_sam import enlarged, tiny_sam
from training.sam_task import SamTask
from training.segment_method import SamTinyMethod

_EVERY = 250


def train_sam(
    method: SamTinyMethod, out: Path, work: Path, *, resume: bool, report: Callable[[str], None]
) -> LoadedSam:
    """Pretrain on scenes that are drawn on the way; needs no data.

    Args:
        method: how.
        out: the folder of the model; written when all is done.
        work: checkpoints and curves; may be deleted afterwards.
        resume: go on from the last checkpoint.
        report: receives one line at a time.

    Raises:
        DataError: a checkpoint is of another method, or something cannot be written.
    """
    torch.manual_seed(method.seed)
    network = tiny_sam(method.stage[0].side)
    plain = msgspec.json.decode(msgspec.json.encode(method)) | {"parameters": _count(network)}
    seconds = 0.0
    for stage in method.stage:
        network = enlarged(network, stage.side)
        task = SamTask(method, stage.side, LoadedSam(network, method.name).mask_wh[0], stage.images)
        schedule = Schedule(
            stage.steps, method.learning_rate, method.weight_decay, report_every=50, validate_every=_EVERY
        )
        config, path = plain | {"side": stage.side}, work / f"sam-{stage.side}.checkpoint"
        network, state = fit(task, network, schedule, config, path, resume=resume, report=report)
        segment_curves.draw(task.name, state.history, work / f"curves-{stage.side}.png")
        report(f"{task.name}: {state.seconds / 60:.1f} min, {segment_curves.verdict(state.history)}")
        seconds += state.seconds
    save_sam(network, out)
    report(f"{out}: {_count(network) / 1e6:.2f} M parameters, {seconds / 60:.1f} min")
    return load_sam(out)


def _count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())
