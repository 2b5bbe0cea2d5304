"""A SAM for quick runs: of the small one's shape, with weights that nothing was trained with."""

from __future__ import annotations

from pathlib import Path

import torch

from training.networks.sam import LoadedSam, load_sam, save_sam
from training.networks.tiny_sam import tiny_sam


def quick_sam(folder: Path) -> LoadedSam:
    """Write it and load it. Raises DataError where it cannot be written."""
    torch.manual_seed(0)
    save_sam(tiny_sam(), folder, "random weights")
    return load_sam(folder)
