"""METHOD.toml: how one view's networks are trained. Sizes, steps and augmentation; nothing of the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pipeline import toml_file
from pipeline.errors import ConfigError
from pipeline.recipe_file import LocateSettings

Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0.0, le=0.5)]
Amount = Annotated[float, Meta(ge=0.0)]
PATCH_MULTIPLE = 8
STRIDE = 16


class ViewShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the part is looked for and the two image sizes.

    Attributes:
        locate: written to the recipe as it is. Training uses the same regions where they are fixed; where parts are
            found as blobs, their annotated boxes with the blob's margin.
        large_wh: a power-of-two multiple of ``small_wh``.
    """

    locate: LocateSettings
    small_wh: tuple[Positive, Positive]
    large_wh: tuple[Positive, Positive]


FROM_LABELS = ViewShape(
    locate=LocateSettings(fixed=(0.0, 0.0, 1.0, 1.0)), small_wh=(STRIDE, STRIDE), large_wh=(STRIDE, STRIDE)
)


class Split(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of the images that are kept out of training; an image's parts stay together.

    Attributes:
        near_duplicates: images that show the same part in the same place stay together, too; looking for them takes
            some 20 ms an image.
    """

    calibration: Share = 0.08
    validation: Share = 0.04
    near_duplicates: bool = True


class TemplateMethod(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """S2's prior: what the template network is made of. The switches are there for comparison.

    Attributes:
        count: templates that are learnt from the training shapes.
        prior: False replaces probabilities over templates by a plain regression, all else being equal.
        second_branch: the correction from an earlier node of the network.
        attribute_weights: samples with rarer occlusion or rotation weigh more, and a loss on both attributes is added.
    """

    count: Positive = 64
    prior: bool = True
    second_branch: bool = True
    attribute_weights: bool = True
    attribute_weight: Amount = 0.1


class CoarseMethod(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first network. ``visibility_weight`` balances the losses: a squared error in px would starve visibility.

    Attributes:
        network: S1 or S2.
        head: of S1; all but "flatten" are there for comparison.
        backbone: "reflected" is "mobile" without borders of zeros, for comparison.
        loss: of S1's positions: squared error, or the likelihood of a residual flow (2107.11291), for comparison.
        rectify: a network before this one turns and moves the image to the mean pose.
        template: of S2.
    """

    steps: Positive
    network: Literal["regression", "template"] = "regression"
    head: Literal["flatten", "pooling_linear", "pooling", "heatmap"] = "flatten"
    loss: Literal["squared", "flow"] = "squared"
    rectify: bool = False
    template: TemplateMethod = TemplateMethod()
    batch: Positive = 32
    learning_rate: Amount = 2e-3
    weight_decay: Amount = 0.02
    backbone: Literal["mobile", "tiny", "large", "shufflenet", "reflected"] = "mobile"
    compressed: Positive = 32
    visibility_weight: Amount = 1.0
    sigma_weight: Amount = 0.1


class CascadeMethod(CoarseMethod, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A second network on an image that the first one's keypoints normalise: turned, moved and scaled to the mean shape.

    Attributes:
        image_wh: size of that image.
        fill: share of the image that the mean shape's box fills.
        rotation_deg, shift, scale: what is added in training to the pose of the true keypoints, as the first network's
            errors would; ``shift`` in shares of the image.
    """

    image_wh: tuple[Positive, Positive]
    fill: Annotated[float, Meta(gt=0.1, le=1.0)] = 0.65
    rotation_deg: Amount = 6.0
    shift: Share = 0.05
    scale: Share = 0.06


class ShapeMethod(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The shape model that refinement is held to: Procrustes mean and the modes that explain ``variance`` of the rest."""

    variance: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.95
    modes: Annotated[int, Meta(ge=0, le=32)] = 4


class RefineMethod(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """S3. ``frames`` images a step give one patch for every keypoint; ``spans_px`` are passes, widest first.

    Attributes:
        jitter_px: large-image px, added to the first network's own errors in the first pass.
        later_px: spread of the start of the later passes.
        folds: networks trained on all but one fold give the errors on that fold, so that they are honest; 0 takes the
            errors on the calibration parts instead, which is as honest and enough where there are thousands of parts.
        turned: patches are cut turned as the part is, so that the network sees every part upright. For parts that lie
            at any angle; ``augment.patch_rotation_deg`` is then by how much the angle may be misjudged, some 8 degrees.
    """

    steps: Positive
    frames: Positive = 16
    learning_rate: Amount = 2e-3
    weight_decay: Amount = 0.02
    size: Literal["mobile", "tiny", "large"] = "mobile"
    patch: Annotated[int, Meta(ge=16, multiple_of=PATCH_MULTIPLE)] = 48
    spans_px: Annotated[list[Annotated[float, Meta(gt=0)]], Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: [144.0, 72.0]
    )
    jitter_px: Amount = 4.0
    later_px: Amount = 3.0
    folds: Annotated[int, Meta(ge=0, le=10)] = 0
    turned: bool = False
    visibility_weight: Amount = 1.0
    hidden_weight: Share = 0.2
    sigma_weight: Amount = 0.1


class Augment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What training images are varied by; all are half-ranges or largest values around the image as it is.

    Attributes:
        flip: mirrored half of the time, left to right ("x") or top to bottom ("y"); the method's ``symmetric`` pairs change over.
        erase: share of the images that get something opaque laid over them; ``erase_size`` is its least and largest
            side as a share of the image's width.
        tilt: images and patches are stretched by up to exp(tilt) along any direction, and squeezed as much across it:
            flat parts, seen from aside. For cameras that are held by hand.
    """

    rotation_deg: Amount = 10.0
    scale: Share = 0.05
    shift: Share = 0.03
    contrast: Share = 0.2
    brightness: Amount = 15.0
    noise: Amount = 4.0
    blur_px: Amount = 0.8
    flip: Literal["none", "x", "y"] = "none"
    erase: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.3
    erase_size: tuple[Share, Annotated[float, Meta(gt=0.0, le=1.0)]] = (0.05, 0.35)
    patch_rotation_deg: Amount = 15.0
    patch_scale: Share = 0.08
    tilt: Share = 0.0


class Method(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file.

    Attributes:
        view: where the file has none it is FROM_LABELS, a placeholder for what `view_shape` tells from the labels.
        seen_radius_px: a keypoint is hidden when more than half of this disc (sensor px) is covered by an erased patch.
        symmetric: pairs of keypoints that change over when the part is mirrored.
        context: size of the kept image over the region's, so that turned images show what lies around.
    """

    name: str
    number: Annotated[int, Meta(ge=0)]
    coarse: CoarseMethod
    view: ViewShape = FROM_LABELS
    cascade: CascadeMethod | None = None
    refine: RefineMethod | None = None
    shape: ShapeMethod | None = None
    symmetric: list[tuple[str, str]] = []
    augment: Augment = Augment()
    split: Split = Split()
    false_reject: Annotated[float, Meta(gt=0.0, lt=0.5)] = 0.02
    seen_radius_px: Annotated[float, Meta(gt=0.0)] = 16.0
    context: Annotated[float, Meta(ge=1.0, le=2.0)] = 1.0
    seed: int = 0
    format: Literal[1] = 1


def load_method(path: Path) -> Method:
    """Read a method file.

    Raises:
        ConfigError: it is no such file, or a value in it cannot be used; names the key and what is allowed.
    """
    method = toml_file.read(path, Method, ConfigError)
    if method.cascade is not None and any(side % STRIDE for side in method.cascade.image_wh):
        raise ConfigError(
            f"{list(method.cascade.image_wh)} does not fit the backbone",
            where=toml_file.at(path, "cascade", "image_wh"),
            allowed=f"multiples of {STRIDE}",
        )
    (sw, sh), (lw, lh) = method.view.small_wh, method.view.large_wh
    if sw % STRIDE or sh % STRIDE:
        raise ConfigError(
            f"{[sw, sh]} does not fit the backbone",
            where=toml_file.at(path, "view", "small_wh"),
            allowed=f"multiples of {STRIDE}",
        )
    factor = lw // sw
    if (sw * factor, sh * factor) != (lw, lh) or factor & (factor - 1) or factor < 1:
        allowed = ", ".join(str([sw * f, sh * f]) for f in (2, 4, 8))
        raise ConfigError(
            f"{[lw, lh]} is no power-of-two multiple of small_wh",
            where=toml_file.at(path, "view", "large_wh"),
            allowed=allowed,
        )
    return method
