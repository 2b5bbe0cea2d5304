"""Segment-anything models (Kirillov et al. 2023, arXiv 2304.02643) from local folders.

Everything is transformers' `SamModel`. SAM 2 is not taken: its mask decoder also wants two finer maps of a feature pyramid, so
that its features cannot be handed over as one intermediate and one final map.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import Tensor
from transformers import SamModel, SamVisionConfig
from transformers.utils import logging as transformers_logging

from pipeline.errors import DataError
from training.disk import writing

TINY = "sam_tiny of datumd"
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of red, green and blue in 0..1: SAM's own
_NAME_KEY = "datumd_name"  # in config.json of a folder that we wrote
_PREPROCESSOR = "preprocessor_config.json"
_UNUSABLE = (OSError, ValueError, TypeError, RuntimeError, LookupError, AttributeError, ArithmeticError)
_ALLOWED = "a folder as SamModel.save_pretrained writes it: config.json (model_type sam) and model.safetensors"
_NEXT = "datumd train --method sam_tiny --teacher FILE --out DIR"


@dataclass(frozen=True)
class LoadedSam:
    """A frozen SAM.

    Attributes:
        model: in evaluation mode; no weight asks for a gradient.
        weights: which one it is: its name, or that of its folder, and the start of the digest of its weights.
        mean, deviation: of its colours, in 0..1.
    """

    model: SamModel
    weights: str
    mean: tuple[float, ...] = MEAN
    deviation: tuple[float, ...] = DEVIATION

    @property
    def vision(self) -> SamVisionConfig:
        """The sizes of its encoder."""
        return cast(SamVisionConfig, self.model.config.vision_config)

    @property
    def image_wh(self) -> tuple[int, int]:
        """Width and height in px of the image that it sees."""
        side = cast(int, self.vision.image_size)
        return side, side

    @property
    def grid_wh(self) -> tuple[int, int]:
        """Columns and rows of its features."""
        side = self.image_wh[0] // cast(int, self.vision.patch_size)
        return side, side

    @property
    def mask_wh(self) -> tuple[int, int]:
        """Width and height of its masks: the decoder doubles the grid twice."""
        columns, rows = self.grid_wh
        return 4 * columns, 4 * rows


def save_sam(model: SamModel, folder: Path, name: str = TINY) -> None:
    """Write an ordinary Hugging Face folder, which says of itself what it is.

    Raises:
        DataError: it cannot be written.
    """
    setattr(model.config, _NAME_KEY, name)
    with writing(folder), _quiet():
        folder.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(folder)
        colours = {"image_mean": MEAN, "image_std": DEVIATION, "image_processor_type": "SamImageProcessor"}
        (folder / _PREPROCESSOR).write_text(json.dumps(colours, indent=2) + "\n")


def load_sam(folder: Path) -> LoadedSam:
    """Load the SAM in a local folder, as `SamModel.save_pretrained` writes it: ViT-B, L, H, SlimSAM, or the small one.

    Nothing is ever fetched.

    Raises:
        DataError: it is no such folder, or weights are missing in it or do not fit.
    """
    config = _json(folder / "config.json")
    if config.get("model_type") != "sam":
        raise DataError(
            f"is a model of type {config.get('model_type')!r}", where=str(folder), allowed=_ALLOWED, next_command=_NEXT
        )
    file = _weights_file(folder)
    try:
        with _quiet():
            model, info = cast(Any, SamModel).from_pretrained(  # with output_loading_info it gives a pair
                folder,
                local_files_only=True,
                use_safetensors=file.suffix == ".safetensors",
                output_loading_info=True,
                dtype=torch.float32,
            )
    except (*_UNUSABLE, SafetensorError, StrictDataclassError) as problem:
        reason = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
        raise DataError(f"cannot be loaded: {reason[:200]}", where=str(folder), allowed=_ALLOWED) from None
    _complete(folder, info)
    _even(folder, model)
    mean, deviation = _colours(folder)
    name = config.get(_NAME_KEY) or folder.resolve().name
    model.eval().requires_grad_(requires_grad=False)
    return LoadedSam(model, f"{name} {_digest(folder, file)}", mean, deviation)


def positions(model: SamModel) -> Tensor:
    """The encoding (1, C, h, w) of where each cell of the features lies. In single precision, whatever is around it."""
    with torch.autocast(model.device.type, enabled=False):
        return cast(Tensor, cast(Any, model).get_image_wide_positional_embeddings())


def normalised(image: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """uint8 (N, H, W, 1), grey, to float32 (N, 3, H, W): the same grey in each colour, normalised as SAM learnt it."""
    return (image.float().permute(0, 3, 1, 2) / 255.0 - mean) / deviation


@torch.no_grad()
def prompted_masks(
    sam: LoadedSam, image: Tensor, *, points: Tensor | None = None, boxes: Tensor | None = None
) -> Tensor:
    """What SAM answers to perfect prompts: the ceiling of what its mask decoder can do.

    Args:
        sam: which one.
        image: uint8 (N, H, W, 1).
        points: (N, P, n, 2), n points of each of P things, in px of the image, centres at integers.
        boxes: (N, P, 4), x and y of the first and of the last pixel, likewise.

    Returns:
        Logits float32 (N, P, Hm, Wm); of one point's three masks the one that SAM itself believes to be best.
    """
    model = sam.model
    mean, deviation = (
        torch.tensor(values, device=image.device).reshape(1, -1, 1, 1) for values in (sam.mean, sam.deviation)
    )
    is_ambiguous = boxes is None and points is not None and points.shape[2] == 1
    answer = model(
        pixel_values=normalised(image, mean, deviation),
        input_points=points,
        input_boxes=boxes,
        multimask_output=is_ambiguous,
    )
    best = answer.iou_scores.argmax(2)[:, :, None, None, None].expand(-1, -1, 1, *answer.pred_masks.shape[3:])
    return cast(Tensor, answer.pred_masks).gather(2, best)[:, :, 0]


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "no JSON"
        raise DataError(f"cannot be read: {reason}", where=str(path), allowed=_ALLOWED, next_command=_NEXT) from None
    if not isinstance(content, dict):
        raise DataError("holds no JSON object", where=str(path), allowed=_ALLOWED)
    return content


def _weights_file(folder: Path) -> Path:
    names = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
    for name in names:
        if (folder / name).is_file():
            return folder / ("model.safetensors" if name.endswith(".json") else name)
    raise DataError("there are no weights", where=str(folder), allowed=_ALLOWED, next_command=_NEXT)


def _complete(folder: Path, info: dict[str, Any]) -> None:
    """Refuse what transformers would fill with random weights."""
    missing = sorted(info.get("missing_keys", ())) or sorted(str(key) for key in info.get("mismatched_keys", ()))
    if missing:
        raise DataError(
            f"{len(missing)} of its weights are missing or of another shape, the first is {missing[0]}",
            where=str(folder),
            allowed=_ALLOWED,
        )


def _even(folder: Path, model: SamModel) -> None:
    """Refuse an encoder that does not see all of a colour image."""
    vision = cast(SamVisionConfig, model.config.vision_config)
    side, patch = vision.image_size, vision.patch_size
    if not isinstance(side, int) or not isinstance(patch, int) or side % patch or vision.num_channels != 3:
        raise DataError(
            f"sees {vision.num_channels} colours of {side} px in patches of {patch}",
            where=str(folder),
            allowed="3 colours, a square image of whole patches",
        )


def _colours(folder: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation from the image processor's file; SAM's own where there is none."""
    path = folder / _PREPROCESSOR
    if not path.is_file():
        return MEAN, DEVIATION
    content = _json(path)
    try:
        mean, deviation = (tuple(map(float, content[key])) for key in ("image_mean", "image_std"))
    except (KeyError, TypeError, ValueError):
        mean = deviation = ()
    if len(mean) != 3 or len(deviation) != 3 or not all(value > 0 for value in deviation):
        raise DataError(
            "has no usable image_mean and image_std", where=str(path), allowed="three numbers each, image_std above 0"
        )
    return mean, deviation


def _digest(folder: Path, file: Path) -> str:
    """8 hex digits of the weights, in however many files they lie."""
    sha = hashlib.sha256()
    for path in sorted(folder.glob(f"{file.stem.split('-')[0]}*{file.suffix}")):
        with path.open("rb") as content:
            sha.update(hashlib.file_digest(content, "sha256").digest())
    return sha.hexdigest()[:8]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bars and warnings: what is wrong is told in one line."""
    level, had_bar = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    cast(Any, transformers_logging).disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if had_bar:
            cast(Any, transformers_logging).enable_progress_bar()
