"""The small SAM's encoder learns to see what an ordinary network sees that knows photographs: distillation.

A published SAM's encoder has seen a billion masks. From a few thousand drawn scenes and nothing but prompts, a small one finds its
prompts again and little else: its features do not tell a blowhole from the tile around it. So they are first taught by a
small network that was trained on ImageNet, and left alone while prompts are learnt. After MobileSAM (2306.14289), whose
encoder learns from a large one's features, apart from the mask decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import SamModel, SamVisionConfig

from training.fit import Losses
from training.networks.backbone import initialise, standardised
from training.networks.prompted_sam import frozen
from training.networks.sam import DEVIATION, MEAN, normalised
from training.networks.shufflenet import shufflenet_backbone
from training.sam_rendered import any_scene
from training.samples import Batch
from training.segment_method import SamTinyMethod

_STREAM, _VALIDATION, _STANDARD = 11, 12, 13
_STANDARD_SCENES, _STANDARD_PX = 64, 128  # which tell the teacher's mean and deviation
_FAR = 8.0  # deviations from which on an error counts no more


class Teacher(nn.Module):
    """A frozen ShuffleNetV2: the features of its second and third stage in cells of 8 px, each of mean 0 and deviation 1.

    It sees the image twice as large, so that its third stage, of stride 16, has such cells too.
    """

    def __init__(self, file: Path, rendered: float) -> None:
        """Load its weights.

        Raises:
            DataError: the file holds no weights of a ShuffleNetV2.
        """
        super().__init__()
        self.backbone = shufflenet_backbone()
        self.said = initialise(self, file)
        self.channels = sum(self.backbone.stage_channels[:2])
        frozen(self)
        rng = np.random.default_rng(_STANDARD)
        scenes = [any_scene(rng, _STANDARD_PX, rendered).image for _ in range(_STANDARD_SCENES)]
        seen = self._seen(torch.from_numpy(np.stack(scenes)[..., None]))
        self.register_buffer("mean", seen.mean((0, 2, 3), keepdim=True))
        self.register_buffer("deviation", seen.std((0, 2, 3), keepdim=True) + 1e-3)

    def forward(self, image: Tensor) -> Tensor:
        """uint8 (N, S, S, 1) to float32 (N, C, S / 8, S / 8)."""
        with torch.autocast(image.device.type, enabled=False):
            return (self._seen(image) - cast(Tensor, self.mean)) / cast(Tensor, self.deviation)

    @torch.no_grad()
    def _seen(self, image: Tensor) -> Tensor:
        large = functional.interpolate(standardised(image), scale_factor=2.0, mode="bilinear", align_corners=False)
        early, middle = self.backbone.stages(large)
        return torch.cat((functional.avg_pool2d(early, 2), middle), dim=1)

    def train(self, mode: bool = True) -> Teacher:  # noqa: ARG002 - nn.Module's own signature
        """Stays in evaluation mode, whatever holds it."""
        return super().train(mode=False)


class Student(nn.Module):
    """The encoder, and a linear readout that is thrown away in the end: what it sees must be there, not more."""

    def __init__(self, sam: SamModel, channels: int, before: Student | None = None) -> None:
        """For a teacher of so many ``channels``; with the readout of the student ``before``, if there was one."""
        super().__init__()
        self.vision = sam.vision_encoder
        width = cast(SamVisionConfig, cast(Any, sam.config).vision_config).output_channels
        self.readout: nn.Conv2d = nn.Conv2d(width, channels, 1) if before is None else before.readout

    def forward(self, image: Tensor) -> Tensor:
        """uint8 (N, S, S, 1) to (N, C, S / 8, S / 8)."""
        colours = (torch.tensor(values, device=image.device).reshape(1, -1, 1, 1) for values in (MEAN, DEVIATION))
        return cast(Tensor, self.readout(self.vision(normalised(image, *colours))[0]))


@dataclass(frozen=True)
class TeacherTask:
    """See `training.fit.Task`; the network is a `Student`.

    Attributes:
        side: width and height of the images in px.
        images: in a step.
    """

    method: SamTinyMethod
    teacher: Teacher
    side: int
    images: int

    @property
    def name(self) -> str:
        """With the size of the images, of which there may be several, one after the other."""
        return f"sam_tiny at {self.side} px from its teacher"

    def batch(self, step: int) -> Batch:
        """Scenes: image uint8 (N, S, S, 1)."""
        return self._scenes(np.random.default_rng([self.method.seed, _STREAM, self.side, step]), self.images)

    def losses(self, network: nn.Module, batch: dict[str, Tensor]) -> Losses:
        """The squared error of the features, in squared deviations; one that is far out counts as one at a limit."""
        missed = network(batch["image"]).float() - self.teacher(batch["image"])
        return {"features": missed.clamp(-_FAR, _FAR).square().mean()}

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """How much of the features' variance is explained, on scenes that are not learnt from."""
        rng = np.random.default_rng([_VALIDATION, self.side])
        images = torch.from_numpy(self._scenes(rng, self.method.validation_images)["image"])
        images = images.to(next(network.parameters()).device)
        wanted = self.teacher(images)
        missed = (network(images).float() - wanted).square().mean((0, 2, 3))
        return {"explained": float((1.0 - missed / wanted.var((0, 2, 3))).mean())}

    def _scenes(self, rng: np.random.Generator, count: int) -> Batch:
        scenes = [any_scene(rng, self.side, self.method.rendered).image for _ in range(count)]
        return {"image": np.stack(scenes)[..., None]}
