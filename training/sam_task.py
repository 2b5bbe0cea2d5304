"""The small SAM as a task for `fit`: scenes, prompts of four kinds, and the losses of the published one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import SamModel

from training.fit import Losses
from training.networks.sam import DEVIATION, MEAN, LoadedSam, normalised, positions, prompted_masks
from training.sam_prompts import KINDS, Prompt, prompts
from training.sam_rendered import any_scene
from training.sam_shapes import Random, SamScene
from training.samples import Batch
from training.segment_method import SamTinyMethod

FOCAL_WEIGHT = 20.0  # over that of the dice loss, as in SAM
_VALIDATION = 1 << 40  # its scenes are none of those that are learnt from
_CHUNK = 8


@dataclass(frozen=True)
class SamTask:
    """See `training.fit.Task`.

    Attributes:
        side: width and height of the images in px.
        grid: width and height of the masks.
        images: in a step.
    """

    method: SamTinyMethod
    side: int
    grid: int
    images: int

    @property
    def name(self) -> str:
        """With the size of the images, of which there are several, one after the other."""
        return f"sam_tiny at {self.side} px"

    def batch(self, step: int) -> Batch:
        """Scenes, and for each the same number of things with a prompt; the kind of prompt is one for all of a step.

        image uint8 (N, S, S, 1); target uint8 (N, P, G, G), share of a cell that the thing covers times 255; and what the
        kind of prompt has: points (N, P, n, 2) and labels (N, P, n), boxes (N, P, 4), or coarse (N, P, G, G) logits.
        """
        method = self.method
        rng = np.random.default_rng([method.seed, 1, self.side, step])
        shares = np.array([getattr(method.prompt, kind) for kind in KINDS])
        kind: Prompt = KINDS[rng.choice(len(KINDS), p=shares / shares.sum())]
        scenes = [self._scene(rng) for _ in range(self.images)]
        return self._asked(rng, scenes, kind, method.prompts)

    def losses(self, network: nn.Module, batch: dict[str, Tensor]) -> Losses:
        """Focal and dice loss of the mask, squared error of the IoU that the network believes it has.

        Of the three answers to a single point only the best one learns: which thing was meant cannot be told.
        """
        logits, believed = self._answers(cast(SamModel, network), batch)
        with torch.autocast(logits.device.type, enabled=False):
            target = batch["target"].float()[:, :, None] / 255.0
            logits, believed = logits.float(), believed.float()
            focal = focal_loss(logits, target)
            dice = dice_loss(logits, target)
            best = (FOCAL_WEIGHT * focal + self.method.dice_weight * dice).argmin(2, keepdim=True)
            actual = overlap(logits.detach(), target)
            return {
                "focal": FOCAL_WEIGHT * focal.gather(2, best).mean(),
                "dice": self.method.dice_weight * dice.gather(2, best).mean(),
                "belief": (believed - actual).square().mean(),
            }

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Mean IoU on scenes that are not learnt from, by a box and by one point for each thing."""
        model = cast(SamModel, network)
        sam = LoadedSam(model, self.name)
        device = next(network.parameters()).device
        found: dict[Prompt, list[Tensor]] = {"box": [], "point": []}
        for first in range(0, self.method.validation_images, _CHUNK):
            count = min(_CHUNK, self.method.validation_images - first)
            for kind, scores in found.items():
                rng = np.random.default_rng([self.method.seed, 2, first])
                scenes = [self._scene(np.random.default_rng([_VALIDATION, first + row])) for row in range(count)]
                batch = self._asked(rng, scenes, kind, self.method.prompts)
                tensors = {name: torch.from_numpy(array).to(device) for name, array in batch.items()}
                logits = prompted_masks(sam, tensors["image"], points=tensors.get("points"), boxes=tensors.get("boxes"))
                scores.append(overlap(logits, tensors["target"].float() / 255.0).flatten().cpu())
        return {f"{kind}_iou": float(torch.cat(scores).mean()) for kind, scores in found.items()}

    def _scene(self, rng: Random) -> SamScene:
        return any_scene(rng, self.side, self.method.rendered)

    def _asked(self, rng: Random, scenes: list[SamScene], kind: Prompt, count: int) -> Batch:
        asked = [prompts(rng, scene.masks, kind, count, self.method.prompt.box_jitter) for scene in scenes]
        batch: dict[str, NDArray[np.generic]] = {
            "image": np.stack([scene.image for scene in scenes])[..., None],
            "target": np.stack([[self._coarse(mask) for mask in one.masks] for one in asked]),
        }
        if kind == "box":
            batch["boxes"] = np.stack([one.boxes for one in asked])
        elif kind == "mask":
            rough = [[coarse_prompt(rng, mask, self.grid) for mask in one.masks] for one in asked]
            batch["coarse"] = np.array(rough, np.float32)
        else:
            batch["points"] = np.stack([one.points for one in asked])
            batch["labels"] = np.stack([one.labels for one in asked])
        return batch

    def _coarse(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(cv2.resize(mask, (self.grid, self.grid), interpolation=cv2.INTER_AREA), np.uint8)

    def _answers(self, network: SamModel, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Logits (N, P, M, G, G) and believed IoU (N, P, M); M = 3 for one point, else 1."""
        image, target = batch["image"], batch["target"]
        colours = (torch.tensor(values, device=image.device).reshape(1, -1, 1, 1) for values in (MEAN, DEVIATION))
        features = cast(Tensor, network.vision_encoder(normalised(image, *colours))[0])
        points, coarse = batch.get("points"), batch.get("coarse")
        if coarse is not None:  # a dense prompt is one for an image: so every prompt has an image of its own
            features = features.repeat_interleave(coarse.shape[1], 0)
            coarse = coarse.flatten(0, 1)[:, None]
        with torch.autocast(image.device.type, enabled=False):  # bf16 would round positions to half a pixel
            sparse, dense = network.prompt_encoder(points, batch.get("labels"), batch.get("boxes"), coarse)
        logits, believed = network.mask_decoder(
            image_embeddings=features,
            image_positional_embeddings=positions(network).expand(len(features), -1, -1, -1),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=points is not None and points.shape[2] == 1,
        )
        return logits.reshape(*target.shape[:2], -1, *target.shape[2:]), believed.reshape(*target.shape[:2], -1)


def coarse_prompt(rng: Random, mask: NDArray[np.uint8], grid: int) -> NDArray[np.float32]:
    """A thing as a dense prompt (G, G) tells of it: blurred, thicker or thinner, off by some px; logits of -8 to 8."""
    size = int(rng.integers(1, 8)) | 1
    grown = (cv2.dilate if rng.random() < 0.5 else cv2.erode)(mask, np.ones((size, size), np.uint8))
    if not np.any(grown):
        grown = mask
    move = np.array([[1.0, 0.0, rng.normal(0, 1.5)], [0.0, 1.0, rng.normal(0, 1.5)]])
    moved = cv2.warpAffine(grown, move, mask.shape[::-1])
    small = cv2.resize(moved, (grid, grid), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.5, 2.5)))
    return np.asarray(soft, np.float32) * np.float32(16 / 255) - 8.0


def focal_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy of (..., H, W), times the squared error of the probability; the mean over pixels (...).

    The focal loss of 1708.02002 for targets that may lie between 0 and 1 (2006.04388).
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
    return ((logits.sigmoid() - target).square() * entropy).mean((-2, -1))


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - dice coefficient of probability and target over (..., H, W), as (...)."""
    probability = logits.sigmoid()
    both = (probability * target).sum((-2, -1))
    return 1.0 - (2.0 * both + 1.0) / (probability.sum((-2, -1)) + target.sum((-2, -1)) + 1.0)


def overlap(logits: Tensor, target: Tensor) -> Tensor:
    """Intersection over union of logits above 0 and of a target of at least a half, over (..., H, W), as (...)."""
    found, true = logits > 0, target >= 0.5
    both, either = (found & true).sum((-2, -1)), (found | true).sum((-2, -1))
    return both / either.clamp_min(1)
