"""S4 as two ONNX files: the frozen encoder, and all that decides after it; both checked against torch as they ship."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.load import load_engine
from pipeline.errors import NetworkError
from pipeline.segment_card import SegmentDecoderCard, SegmentEncoderCard
from pipeline.segment_thresholds import FILE_NAME as THRESHOLDS_FILE
from training.disk import writing
from training.export import to_onnx
from training.networks.prompted_sam import PromptedSam, SamEncoder
from training.segment_compare import boundary_distance

ENCODER, DECODER = "segment_encoder.onnx", "segment_decoder.onnx"
LEAST_IOU = 0.999
MOST_LOGIT = 0.05  # of the mask; a probability moves by a quarter of that at most
MOST_HEATMAP = 0.005
MOST_BOUNDARY = 0.1  # px of the image
LARGEST_BYTES = 2_000_000_000  # of weights: an ONNX file ends at 2 GiB
_BATCH = 2


@dataclass(frozen=True)
class Parity:
    """By how much the files differ from torch on the same images.

    Attributes:
        iou: of the masks at probability 0.5, all images together; 1 where neither shows a pixel.
        logit: the largest difference of a mask's logit.
        heatmap: the largest difference of a heatmap's value.
        boundary: the largest mean distance of a mask's boundaries, in px of the image.
    """

    iou: float
    logit: float
    heatmap: float
    boundary: float

    def __str__(self) -> str:
        """Text for a report."""
        masks = f"IoU {self.iou:.5f}, boundary {self.boundary:.1g} px"
        return f"{masks}, logits {self.logit:.1g}, heatmap {self.heatmap:.1g} from torch"


def check_size(encoder: SamEncoder, where: str) -> None:
    """Refuse before hours of training what one ONNX file cannot hold. Raises NetworkError, which names ``where``."""
    size = sum(weight.numel() * weight.element_size() for weight in encoder.parameters())
    if size > LARGEST_BYTES:
        raise NetworkError(
            f"its encoder has {size / 1e9:.1f} GB of weights, an ONNX file holds 2 GB",
            where=where,
            allowed="ViT-B, ViT-L, SlimSAM or smaller",
        )


def export_segment(
    network: PromptedSam,
    weights: str,
    folder: Path,
    images: NDArray[np.uint8] | None = None,
    tiles: tuple[int, int] = (1, 1),
) -> Parity:
    """Write both files into a folder and run them through our own engine, one after the other.

    Args:
        network: trained.
        weights: which SAM is frozen inside, for the cards.
        folder: of the two files; each is replaced in one step.
        images: uint8 (N, H, W) to compare on; without any, noise.
        tiles: columns and rows of the images in which a region is looked at.

    Returns:
        How closely they agree with torch.

    Raises:
        NetworkError: less than `LEAST_IOU`, `MOST_LOGIT` and `MOST_HEATMAP` allow.
        DataError: no room.
    """
    network = copy.deepcopy(network).cpu().eval()
    encoder, decoder = network.encoder, network.decoder
    noise = torch.Generator().manual_seed(0)
    width, height = encoder.image_wh
    image = torch.randint(0, 256, (_BATCH, height, width, 1), dtype=torch.uint8, generator=noise)
    features = {
        name: torch.randn((_BATCH, *shape), generator=noise)
        for name, shape in (("intermediate", encoder.intermediate), ("embedding", encoder.embedding))
    }
    if decoder.layout:
        features["pose"] = _poses(_BATCH)
    encoder_card = SegmentEncoderCard(
        image_wh=encoder.image_wh,
        intermediate=encoder.intermediate,
        embedding=encoder.embedding,
        weights=weights,
        tiles=tiles,
    )
    decoder_card = SegmentDecoderCard(
        image_wh=encoder.image_wh,
        intermediate=encoder.intermediate,
        embedding=encoder.embedding,
        weights=weights,
        mask_wh=decoder.mask_wh,
        heatmap_wh=decoder.heatmap_wh,
        layout=decoder.layout,
    )
    paths = folder / ENCODER, folder / DECODER
    models = (
        to_onnx(encoder, {"image": image}, ("intermediate", "embedding"), encoder_card, paths[0]),
        to_onnx(decoder, features, ("mask", "heatmap"), decoder_card, paths[1]),
    )
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for model, path in zip(models, paths, strict=True):
            beside = path.with_suffix(".part")
            beside.write_bytes(model.SerializeToString())
            beside.replace(path)
    return parity(network, folder, image.numpy()[..., 0] if images is None else images)


def parity(network: PromptedSam, folder: Path, images: NDArray[np.uint8]) -> Parity:
    """How closely the two files in a folder agree with a network on the CPU, in evaluation mode, on images (N, H, W).

    Raises:
        NetworkError: less than `LEAST_IOU`, `MOST_LOGIT` and `MOST_HEATMAP` allow.
    """
    found = _compare(network, torch.from_numpy(images[..., None]), folder / ENCODER, folder / DECODER)
    if not (
        found.iou >= LEAST_IOU
        and found.boundary <= MOST_BOUNDARY
        and found.logit <= MOST_LOGIT
        and found.heatmap <= MOST_HEATMAP
    ):
        raise NetworkError(
            f"differs from torch: {found}",
            where=str(folder / DECODER),
            allowed=f"IoU {LEAST_IOU}, boundary {MOST_BOUNDARY} px, logits {MOST_LOGIT}, heatmap {MOST_HEATMAP}",
        )
    return found


def ship_segment(stage: Path, folder: Path) -> None:
    """Put the networks and the calibration of ``stage`` into a view's folder, each whole, in place of an earlier training's.

    The calibration comes last: a kill leaves networks without one, never with another's.
    """
    names = [name for name in (ENCODER, DECODER, THRESHOLDS_FILE) if (stage / name).is_file()]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy2(stage / name, folder / f".{name}.part")
        for name in (THRESHOLDS_FILE, ENCODER, DECODER):
            (folder / name).unlink(missing_ok=True)
        for name in names:
            (folder / f".{name}.part").replace(folder / name)


def _poses(count: int) -> Tensor:
    """Somewhere on a part (N, 2, 3)."""
    return 0.4 * torch.randn((count, 2, 3), generator=torch.Generator().manual_seed(1))


def _compare(network: PromptedSam, images: Tensor, encoder: Path, decoder: Path) -> Parity:
    """One image at a time, and two at once where there are two."""
    first, second = load_engine(encoder), load_engine(decoder)
    both = either = 0
    logit = heat = boundary = 0.0
    px_per_cell = network.image_wh[0] / network.decoder.mask_wh[0]
    groups: Sequence[Tensor] = [*torch.split(images, 1), images[:2]]
    for group in groups:
        poses = _poses(len(group)) if network.decoder.layout else None
        with torch.no_grad():
            mask, heatmap = (tensor.numpy() for tensor in network(group, poses))
        asked = dict(first.run({"image": group.numpy()}))
        if poses is not None:
            asked["pose"] = poses.numpy()
        outputs = second.run(asked)
        found = np.asarray(outputs["mask"])
        both += int(((found > 0) & (mask > 0)).sum())
        either += int(((found > 0) | (mask > 0)).sum())
        apart = (boundary_distance(one > 0, other > 0) for one, other in zip(found, mask, strict=True))
        boundary = max(boundary, px_per_cell * max(one or 0.0 for one in apart))
        logit = max(logit, float(np.abs(found - mask).max()))
        heat = max(heat, float(np.abs(np.asarray(outputs["heatmap"]) - heatmap).max()))
    first.close()
    second.close()
    return Parity(both / either if either else 1.0, logit, heat, boundary)
