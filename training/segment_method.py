"""METHOD.toml of the networks that find defects: how the small SAM is pretrained, and how S4 learns where to point."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pipeline import toml_file
from pipeline.errors import ConfigError
from pipeline.segment_card import Tiles

Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Amount = Annotated[float, Meta(ge=0.0)]
Above = Annotated[float, Meta(gt=0.0)]


class SamPrompts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often each kind of prompt is asked for; only the ratios count.

    Attributes:
        point: one point of the thing. What it means is ambiguous, so the best of three masks learns, as in SAM.
        points: two points of it and one beside it.
        box: its box, whose corners are off by up to ``box_jitter`` of its sides.
        mask: a coarse picture of one or several things, and no point: the dense prompt that S4 gives.
    """

    point: Amount = 0.3
    points: Amount = 0.15
    box: Amount = 0.35
    mask: Amount = 0.2
    box_jitter: Share = 0.06


class SamStage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the pretraining, with images of one size.

    Attributes:
        side: width and height in px of the images.
        images: in a step.
        learn: "prompts" is what the model is for. "teacher" is the encoder alone, which learns to see what a network sees that
            knows photographs, and is left alone from then on; left out where no teacher is given.
    """

    side: Annotated[int, Meta(ge=64, multiple_of=64)]
    steps: Positive
    images: Positive
    learn: Literal["prompts", "teacher"] = "prompts"


class SamTinyMethod(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pretraining of the small SAM on drawn and rendered scenes.

    Attributes:
        stage: one after the other; the last has images of the size that the model is for. What a prompt means is learnt from
            small images in a fraction of the time.
        prompts: of every image in a step: the encoder is run once for all of them.
        muon: learning rate of the transformers' matrices by Muon, see `training.fit.Schedule`; 0 for AdamW.
        rendered: share of the scenes that are parts as `datumd render` draws them; the others are shapes on textures.
        dice_weight: of the dice loss; the focal loss weighs 20, the error of the predicted IoU 1, as in SAM, where dice weighs 1.
            A short training is content with empty masks for long then, as things are small.
    """

    stage: Annotated[tuple[SamStage, ...], Meta(min_length=1)]
    prompts: Positive = 6
    learning_rate: Above = 1e-3
    muon: Amount = 0.0
    weight_decay: Amount = 0.05
    rendered: Share = 0.25
    dice_weight: Amount = 10.0
    prompt: SamPrompts = SamPrompts()
    validation_images: Positive = 24
    seed: Annotated[int, Meta(ge=0)] = 0
    name: str = "sam_tiny"
    format: Literal[1] = 1


class PromptNetwork(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is trained. All but the defaults are there for comparison.

    Attributes:
        kind: "unet" is an ordinary U-Net of as many trainable parameters as S4 has for the same SAM, on the same images.
        states: how many hidden states of the frozen transformer are looked at, evenly spaced, the last one among them. Four
            are those after the global attentions of every SAM that was published.
        width: channels of the fused features.
        use_intermediate, use_final: False leaves these features out of the fusion, from which the heatmap is predicted.
        places: cells along a side of a map of the part that is learnt, and read where the part's keypoints say that an image
            lies: a dimple that belongs to the part is told from a dent. 0 for none, as for labels without keypoints.
    """

    kind: Literal["prompted_sam", "unet"] = "prompted_sam"
    states: Positive = 4
    width: Annotated[int, Meta(ge=8, multiple_of=4)] = 96
    use_intermediate: bool = True
    use_final: bool = True
    places: Annotated[int, Meta(ge=0, le=512)] = 0


class HeatmapMethod(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the heatmap learns to show.

    Attributes:
        label: made from the skeleton of the mask; all of the mask and the middle of its box are there for comparison.
        width: standard deviation in cells of the heatmap by which a label falls off beside its ridge.
        taught: share of the steps, the first ones, in which the label prompts in place of what is predicted. What a prompt
            means is learnt from true ones within a hundred steps, and hardly at all from those that are still wrong; and the
            heatmap learns from its own label alone until then: what the mask says of a wrong one is mostly noise.
        mask_every: the mask learns in one of so many steps, in the others the heatmap alone, in less than half of the time. Where
            defects are takes thousands of steps, their outline hundreds.
    """

    label: Literal["skeleton", "mask", "centre"] = "skeleton"
    width: Above = 1.5
    taught: Share = 0.6
    mask_every: Positive = 1


class SegmentLoss(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How losses are balanced. Defects are some 1% of the pixels.

    Attributes:
        heatmap_weight: of the mean squared error, whose cells weigh 1 + ``ridge_weight`` times their label.
        defect_weight: of a defect's pixel in the cross entropy, over that of another one.
        dice_weight: of a dice loss over each image with a defect, beside the cross entropy. 0, and a ``defect_weight`` of
            1, is the plain cross entropy.
    """

    heatmap_weight: Amount = 10.0
    ridge_weight: Amount = 4.0
    defect_weight: Above = 2.0
    dice_weight: Amount = 1.0


class SegmentAugment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What images are varied by. Each has a fixed number of variants, the first is the image as it is.

    Attributes:
        variants: of each image. Features of the frozen encoder are computed once for every one of them.
        turns: mirrored and turned by quarters.
        scale, shift: the region is enlarged or reduced by up to exp(scale), and moved by shares of its sides.
        contrast, brightness, noise, blur_px: as for keypoints.
    """

    variants: Positive = 8
    turns: bool = True
    scale: Share = 0.15
    shift: Share = 0.08
    contrast: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.25
    brightness: Amount = 15.0
    noise: Amount = 4.0
    blur_px: Amount = 0.6


class SegmentSplit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of the images that are kept out of training, by groups."""

    calibration: Annotated[float, Meta(gt=0.0, le=0.4)] = 0.2
    validation: Annotated[float, Meta(gt=0.0, le=0.4)] = 0.1


class SegmentMethod(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """S4: the trained part in front of a frozen SAM's mask decoder.

    Attributes:
        images: in a step.
        defects: share of a step's images that have a defect, where there are both sorts.
        tiles: columns and rows of the images in which a part's region is looked at. A defect wants some px in the encoder's
            image; each tile costs as much time as the whole region in one.
        good_tiles: training takes the tiles with a defect, and of the others so many times as many.
        features_gb: room on the disk for features of the frozen encoder. Where they need more, there are fewer variants,
            one at least; what does not fit even so is computed again each time.
    """

    steps: Positive
    images: Positive = 8
    defects: Share = 0.7
    tiles: tuple[Tiles, Tiles] = (1, 1)
    good_tiles: Above = 1.0
    learning_rate: Above = 1e-3
    weight_decay: Amount = 0.02
    network: PromptNetwork = PromptNetwork()
    heatmap: HeatmapMethod = HeatmapMethod()
    loss: SegmentLoss = SegmentLoss()
    augment: SegmentAugment = SegmentAugment()
    split: SegmentSplit = SegmentSplit()
    features_gb: Amount = 4.0
    seed: Annotated[int, Meta(ge=0)] = 0
    name: str = "prompted_sam"
    format: Literal[1] = 1


def load_sam_tiny_method(path: Path) -> SamTinyMethod:
    """Read how the small SAM is pretrained.

    Raises:
        ConfigError: it is no such file, or a value in it cannot be used; names the key and what is allowed.
    """
    method = toml_file.read(path, SamTinyMethod, ConfigError)
    if not (method.prompt.point + method.prompt.points + method.prompt.box + method.prompt.mask):
        raise ConfigError(
            "no kind of prompt is asked for",
            where=toml_file.at(path, "prompt"),
            allowed="point, points, box or mask above 0",
        )
    stages = [(stage.side, stage.learn) for stage in method.stage]
    if len(set(stages)) < len(stages) or stages[-1] != (max(side for side, _ in stages), "prompts"):
        raise ConfigError(
            f"sides are {[side for side, _ in stages]}, the last stage learns {stages[-1][1]}",
            where=toml_file.at(path, "stage"),
            allowed="each side once for what it learns; the last stage has the largest and learns prompts",
        )
    return method


def load_segment_method(path: Path) -> SegmentMethod:
    """Read how S4 is trained.

    Raises:
        ConfigError: as `load_sam_tiny_method`.
    """
    method = toml_file.read(path, SegmentMethod, ConfigError)
    network = method.network
    if not (network.use_intermediate or network.use_final):
        raise ConfigError(
            "nothing is left to predict the heatmap from",
            where=toml_file.at(path, "network"),
            allowed="use_intermediate or use_final",
        )
    return method
