"""S4 as a task for `fit`, and the U-Net that it is compared with: the same images, the same labels, the same losses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.errors import DataError
from pipeline.part_pose import UNPLACED
from training.fit import Losses
from training.networks.prompted_sam import PromptedDecoder
from training.networks.unet import UNet
from training.sam_task import overlap
from training.samples import Batch, shuffled
from training.segment_features import FeatureStore
from training.segment_losses import counting, heatmap_loss, mask_losses
from training.segment_samples import Image, Labels, SegmentSamples
from training.segment_score import auroc

_STREAM = 42
_CHUNK = 8
_UNPLACED = 0.1  # share of the images that are not told where on the part they lie: a part's keypoints may not be found
_Row = tuple[SegmentSamples, int, int]  # which set, which of its images, which variant


@dataclass(frozen=True)
class SegmentTask:
    """See `training.fit.Task`.

    Attributes:
        train, validation: the images.
        variants: of each image that is trained on.
        features: of the frozen encoder; None for a network that takes the image itself.

    Raises:
        DataError: no image to train on, or none to validate on, has a defect.
    """

    train: SegmentSamples
    validation: SegmentSamples
    variants: int
    features: FeatureStore | None = None
    name: str = "prompted_sam"
    _kept: dict[tuple[str, int], tuple[Labels, Image | str]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse before hours are spent."""
        for what, samples in (("train", self.train), ("validate", self.validation)):
            if not samples.has_defect.any():
                raise DataError(
                    f"none of the {len(samples.data)} images to {what} on has a defect", where=samples.data.where
                )

    def batch(self, step: int) -> Batch:
        """A step's images: mask uint8 and counted bool (N, Hm, Wm), heatmap float16 (N, Hh, Wh), and what the network takes.

        That is intermediate and embedding, float16, or image uint8 (N, H, W, 1); and pose float32 (N, 2, 3). ``taught``, bool
        (1,), tells whether the labels prompt, ``masked`` whether S4's mask learns, too.
        """
        method = self.train.method
        rng = np.random.default_rng([method.seed, _STREAM, step])
        batch = self._stacked(
            [(self.train, index, int(rng.integers(self.variants))) for index in self._chosen(step).tolist()]
        )
        batch["pose"][rng.random(len(batch["pose"])) < _UNPLACED] = UNPLACED
        heatmap = method.heatmap
        taught, masked = step < heatmap.taught * method.steps, step % heatmap.mask_every == 0
        return {**batch, "taught": np.array([taught]), "masked": np.array([masked])}

    def losses(self, network: nn.Module, batch: dict[str, Tensor]) -> Losses:
        """Cross entropy and dice of the mask; of S4 the squared error of its heatmap, too."""
        weigh = self.train.method.loss
        logits, heatmap = _answer(network, batch)
        found: Losses = {}
        with torch.autocast(batch["mask"].device.type, enabled=False):
            if logits is not None:
                found = mask_losses(logits, batch["mask"].float() / 255.0, batch["counted"], weigh)
            if heatmap is not None:
                found["heatmap"] = weigh.heatmap_weight * heatmap_loss(
                    heatmap, batch["heatmap"].float(), batch["counted"], weigh.ridge_weight
                )
        return found

    def validate(self, network: nn.Module) -> dict[str, float]:
        """IoU of the pixels of all images together, at probability 0.5.

        Of S4 also with its heatmap zeroed, and ``auroc``: how well the highest value of a heatmap tells that there is a defect,
        where there are good images, too.
        """
        iou, peaks = self._seen(network)
        figures = {"iou": iou}
        if isinstance(network, PromptedDecoder):
            bad = self.validation.has_defect
            if (told := auroc(peaks[bad].tolist(), peaks[~bad].tolist())) is not None:
                figures["auroc"] = told
            network.prompting = False
            figures["iou_unprompted"], _ = self._seen(network)
            network.prompting = True
        return figures

    @torch.no_grad()
    def _seen(self, network: nn.Module) -> tuple[float, NDArray[np.float32]]:
        """The IoU, and of each image the highest value (N,) of its heatmap where it counts, 0 of a U-Net."""
        device = next(network.parameters()).device
        found, true, peaks = [], [], []
        for first in range(0, len(self.validation.data), _CHUNK):
            indices = range(first, min(first + _CHUNK, len(self.validation.data)))
            batch = self._stacked([(self.validation, index, 0) for index in indices])
            tensors = {name: torch.from_numpy(array).to(device) for name, array in batch.items()}
            counted = tensors["counted"]
            logits, heatmap = _answer(network, tensors)
            assert logits is not None  # noqa: S101 - nothing asks for the heatmap alone
            found.append(torch.where(counted, logits, -1.0).cpu())
            true.append((tensors["mask"].float() / 255.0 * counted).cpu())
            seen = counted.float() if heatmap is None else heatmap * counting(counted, heatmap)
            peaks.append(seen.amax((1, 2)).cpu().numpy())
        iou = float(overlap(torch.cat(found).flatten(0, 1), torch.cat(true).flatten(0, 1)))
        return iou, np.concatenate(peaks)

    def _chosen(self, step: int) -> NDArray[np.int64]:
        """Images of one step: with a defect and without in the method's shares, each sort in permutations of its own."""
        method, has = self.train.method, self.train.has_defect
        bad, good = np.flatnonzero(has), np.flatnonzero(~has)
        count = method.images if not len(good) else max(1, round(method.images * method.defects))
        chosen = [shuffled(bad, method.seed, _STREAM, step, count)]
        if count < method.images:
            chosen.append(shuffled(good, method.seed, _STREAM + 1, step, method.images - count))
        return np.concatenate(chosen)

    def _stacked(self, rows: list[_Row]) -> Batch:
        found = [self._one(*row) for row in rows]
        names = ("image",) if self.features is None else ("intermediate", "embedding")
        return {
            **{
                name: np.stack([getattr(labels, name) for labels, _ in found])
                for name in ("mask", "counted", "heatmap", "pose")
            },
            **{name: np.stack([planes[n] for _, planes in found]) for n, name in enumerate(names)},
        }

    def _one(self, samples: SegmentSamples, index: int, variant: int) -> tuple[Labels, tuple[NDArray[np.generic], ...]]:
        """Labels, and the features or the image (H, W, 1); what is met a second time is not read and cut again."""
        row = samples.data.names[index], variant
        if row not in self._kept:
            image, labels = samples.pair(index, variant)
            self._kept[row] = labels, image if self.features is None else self.features.key(image)
        labels, seen = self._kept[row]
        if isinstance(seen, str):
            assert self.features is not None  # noqa: S101 - it gave the key
            return labels, self.features(seen, lambda: samples.pair(index, variant)[0])
        return labels, (seen[..., None],)


def _answer(network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor | None, Tensor | None]:
    """Mask logits (N, Hm, Wm), None where the heatmap alone learns; and that (N, Hh, Wh) as it comes, None of a U-Net."""
    if isinstance(network, UNet):
        return network.raw(batch["image"]), None
    decoder = cast(PromptedDecoder, network)
    told = batch["intermediate"].float(), batch["embedding"].float(), batch["pose"]
    if not batch.get("masked", True):
        return None, decoder.raw_heatmap(*told)
    return decoder.raw(*told, batch["heatmap"].float() if batch.get("taught", False) else None)
