"""Pretrains the small SAM and writes it as an ordinary Hugging Face folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import torch

from training import segment_curves
from training.fit import Schedule, fit
from training.networks.sam import LoadedSam, load_sam, save_sam
from training.networks.tiny_sam import tiny_sam
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
        work: checkpoint and curves; may be deleted afterwards.
        resume: go on from the checkpoint.
        report: receives one line at a time.

    Raises:
        DataError: the checkpoint is of another method, or something cannot be written.
    """
    torch.manual_seed(method.seed)
    network = tiny_sam()
    sam = LoadedSam(network, method.name)
    task = SamTask(method, sam.image_wh[0], sam.mask_wh[0])
    sizes = {"parameters": sum(weight.numel() for weight in network.parameters())}
    plain = msgspec.json.decode(msgspec.json.encode(method)) | sizes
    schedule = Schedule(method.steps, method.learning_rate, method.weight_decay, report_every=50, validate_every=_EVERY)
    averaged, state = fit(task, network, schedule, plain, work / "sam.checkpoint", resume=resume, report=report)
    segment_curves.draw(task.name, state.history, work / "curves.png")
    save_sam(averaged, out)
    report(f"{task.name}: {state.seconds / 60:.1f} min, {segment_curves.verdict(state.history)}")
    report(f"{out}: {sizes['parameters'] / 1e6:.2f} M parameters")
    return load_sam(out)
