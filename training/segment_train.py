"""Trains S4, or the U-Net that it is compared with, on images with masks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.part_pose import LEAST_KEYPOINTS, Found, sensor_from_part
from training import segment_curves
from training.checkpoint import Checkpoint
from training.fit import Schedule, fit
from training.masks.division import divide
from training.masks.sample import GOOD, MaskedSet, digest
from training.networks.prompted_sam import PromptedDecoder, PromptedSam, SamEncoder
from training.networks.sam import LoadedSam
from training.networks.unet import UNet, unet_of
from training.segment_export import check_size
from training.segment_features import FeatureStore
from training.segment_layout import learn_layout
from training.segment_method import SegmentMethod, SegmentSplit
from training.segment_regions import in_tiles
from training.segment_samples import SegmentSamples
from training.segment_task import SegmentTask

_EXAMPLES = 4  # images that an export is compared with torch on


@dataclass(frozen=True)
class SegmentRun:
    """One training.

    Attributes:
        sam: what is frozen. A U-Net takes nothing from it but its sizes.
        train, validation: images, from different groups.
        work: checkpoint and curves; may be deleted afterwards.
        report: receives one line at a time.
        features: folder of what the frozen encoder gave, which several runs may share, one after the other or at once; by
            default in ``work``.
    """

    method: SegmentMethod
    sam: LoadedSam
    train: MaskedSet
    validation: MaskedSet
    work: Path
    resume: bool
    report: Callable[[str], None]
    features: Path | None = None


@dataclass(frozen=True)
class TrainedSegment:
    """What came out.

    Attributes:
        network: `PromptedSam`, or `UNet`, on the CPU and in evaluation mode: of uint8 (N, H, W, 1) it gives mask logits
            (N, Hm, Wm) and the heatmap (N, Hh, Wh).
        state: with the history of losses, and the seconds.
        parameters: that were trained.
        examples: uint8 (n, H, W), images to compare an export on.
    """

    network: PromptedSam | UNet
    state: Checkpoint
    parameters: int
    examples: NDArray[np.uint8]

    @property
    def verdict(self) -> str:
        """In words: where the losses and the IoU of validation went."""
        return segment_curves.verdict(self.state.history)


def divide_segment(images: MaskedSet, split: SegmentSplit, seed: int) -> tuple[MaskedSet, MaskedSet, MaskedSet]:
    """Images to train on, to calibrate with and to validate on; a group stays together.

    Raises:
        DataError: there are too few groups.
    """
    shares = (1.0 - split.calibration - split.validation, split.calibration, split.validation)
    train, calibration, validation = (images.chosen(side) for side in divide(images, shares, seed))
    return train, calibration, validation


def train_segment(run: SegmentRun) -> TrainedSegment:
    """Train; the frozen encoder runs once for every variant of an image, and what it gives is kept.

    Raises:
        DataError: the images cannot be used, the checkpoint is of another training, or there is no room.
        NetworkError: the SAM is too large to be exported.
    """
    method = run.method
    torch.manual_seed(method.seed)
    encoder = SamEncoder(run.sam, method.network.states)
    check_size(encoder, run.sam.weights)
    layout = learn_layout(run.train) if method.network.places else {}
    if method.network.places:
        run.report(_told(run.train, layout))
    decoder = _decoder(run, encoder, layout)
    trained = sum(weight.numel() for weight in decoder.trained())
    network: PromptedDecoder | UNet = decoder
    if method.network.kind == "unet":
        network = unet_of(trained, encoder.image_wh, decoder.heatmap_wh)
        trained = sum(weight.numel() for weight in network.parameters())
    task = _task(run, encoder, network, layout)
    run.report(f"{task.name}: {trained / 1e6:.2f} M parameters are trained, frozen is {run.sam.weights}")
    every = max(50, method.steps // 400 * 100)
    schedule = Schedule(
        method.steps, method.learning_rate, method.weight_decay, report_every=50, validate_every=every, warm_up=100
    )
    path = run.work / f"{task.name}.checkpoint"
    averaged, state = fit(task, network, schedule, _config(run), path, resume=run.resume, report=run.report)
    segment_curves.draw(task.name, state.history, run.work / "curves.png")
    run.report(f"{task.name}: {state.seconds / 60:.1f} min, {segment_curves.verdict(state.history)}")
    whole = averaged if isinstance(averaged, UNet) else PromptedSam(encoder, averaged)
    run.sam.model.cpu()  # parts of it were moved to where training was
    count = min(_EXAMPLES, len(task.validation.data))
    examples = np.stack([task.validation.pair(index, 0)[0] for index in range(count)])
    return TrainedSegment(whole.cpu().eval(), state, trained, examples)


def _told(images: MaskedSet, layout: Found) -> str:
    """How many parts have keypoints by which the networks are told where on the part they look."""
    if not layout:
        return (
            f"no part has {LEAST_KEYPOINTS} keypoints: the networks are not told where on the part they look; "
            "next: label keypoints in --coco, or train networks that find them into the recipe first"
        )
    good, others = (
        [sensor_from_part(layout, one.keypoints) is not None for one in images.images if (one.kind == GOOD) is is_good]
        for is_good in (True, False)
    )
    shares = f"{sum(good)} of {len(good)} good parts and {sum(others)} of {len(others)} others"
    return f"keypoints tell the networks where on the part they look, on {shares}"


def _decoder(run: SegmentRun, encoder: SamEncoder, layout: Found) -> PromptedDecoder:
    network = run.method.network
    return PromptedDecoder(
        run.sam,
        encoder,
        network.width,
        use_intermediate=network.use_intermediate,
        use_final=network.use_final,
        places=network.places,
        layout=layout,
    )


def _task(run: SegmentRun, encoder: SamEncoder, network: PromptedDecoder | UNet, layout: Found) -> SegmentTask:
    """The images for this network, in as many variants as there is room for features."""
    method = run.method
    folder = run.features or run.work / "features"
    if run.features is None and not run.resume:
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier training: its room is wanted
    store = FeatureStore(encoder, run.sam.weights, folder, method.features_gb)
    train, validation = (in_tiles(images, encoder.image_wh, method) for images in (run.train, run.validation))
    variants = max(1, min(method.augment.variants, (store.capacity - len(validation)) // len(train)))
    sizes = encoder.image_wh, network.mask_wh, network.heatmap_wh
    samples = [SegmentSamples(images, method, *sizes, layout) for images in (train, validation)]
    count = len(train) * variants + len(validation)
    room = f", {_room(count, store, folder)}" if isinstance(network, PromptedDecoder) else ""
    run.report(f"{len(train)} images in {variants} variants, {len(validation)} to validate{room}")
    kept = store if isinstance(network, PromptedDecoder) else None
    return SegmentTask(samples[0], samples[1], variants, kept, method.network.kind)


def _room(count: int, store: FeatureStore, folder: Path) -> str:
    needed = f"{count * store.bytes_each / 1e9:.2f} GB of features in {folder}"
    if count <= store.capacity:
        return needed
    return f"{needed}, of which features_gb lets {store.capacity} of {count} be kept: the others are computed in every step"


def _config(run: SegmentRun) -> dict[str, object]:
    """All that decides what is learnt, as plain values. Room for features only decides how many variants there are."""
    plain: dict[str, object] = msgspec.json.decode(msgspec.json.encode(run.method))
    colours = {"mean": run.sam.mean, "deviation": run.sam.deviation}
    return plain | colours | {"sam": run.sam.weights, "train": digest(run.train), "validation": digest(run.validation)}
