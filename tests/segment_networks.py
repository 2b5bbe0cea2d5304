"""Small networks for tests that take what is darker than DARK for a defect, and recipes with them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pipeline.network import METADATA_KEY, write_card
from pipeline.sealing import seal
from pipeline.segment_card import SegmentDecoderCard, SegmentEncoderCard
from pipeline.segment_thresholds import FILE_NAME, SegmentThresholds, write_segment_thresholds
from tests.recipes import frame_with_part, make_recipe

CELL = 4  # px of the image that are one cell of the mask
HEAT = 4  # cells of the mask that are one of the heatmap
DARK = 5.0  # grey level; the ground of drawn parts is 10
OPSET, IR_VERSION = 18, 10
_PLACED = [
    helper.make_node("Gather", ["pose", "first"], ["row"], axis=1),
    helper.make_node("Gather", ["row", "last"], ["x"], axis=1),
    helper.make_node("Greater", ["x", "rim"], ["beyond"]),
    helper.make_node("Cast", ["beyond"], ["is_beyond"], to=TensorProto.FLOAT),
    helper.make_node("Mul", ["is_beyond", "much"], ["less"]),
    helper.make_node("Unsqueeze", ["less", "axes"], ["lessened"]),
    helper.make_node("Sub", ["plain", "lessened"], ["logits"]),
]


def cards(image_wh: tuple[int, int] = (256, 256)) -> tuple[SegmentEncoderCard, SegmentDecoderCard]:
    """Cards of networks that belong together."""
    width, height = image_wh[0] // CELL, image_wh[1] // CELL
    features = {"intermediate": (1, height, width), "embedding": (2, height, width), "weights": "none, for tests"}
    encoder = SegmentEncoderCard(image_wh=image_wh, **features)  # type: ignore[arg-type]  # fields by name
    heatmap_wh = (width // HEAT, height // HEAT)
    decoder = SegmentDecoderCard(image_wh=image_wh, mask_wh=(width, height), heatmap_wh=heatmap_wh, **features)  # type: ignore[arg-type]  # likewise
    return encoder, decoder


def write_segment(
    folder: Path, encoder: SegmentEncoderCard, decoder: SegmentDecoderCard, *, dark: float = DARK
) -> None:
    """Write both networks: the mask's logit is as many as a cell's mean is darker than `dark`; the heatmap its probability.

    A decoder with a layout takes nothing for a defect in an image whose centre lies beyond x = 1 of the part's frame.
    """
    averages = [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["levels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["intermediate"], kernel_shape=[CELL] * 2, strides=[CELL] * 2),
        helper.make_node("Concat", ["intermediate", "intermediate"], ["embedding"], axis=1),
    ]
    _save(folder / "segment_encoder.onnx", averages, {}, encoder)
    constants: dict[str, NDArray[np.generic]] = {
        "dark": np.array(dark, np.float32),
        "none": np.array(0, np.float32),
        "axis": np.array([1], np.int64),
    }
    if decoder.layout:
        constants |= {"first": np.array(0, np.int64), "last": np.array(2, np.int64), "rim": np.array(1, np.float32)}
        constants |= {"much": np.array(1000, np.float32), "axes": np.array([1, 2, 3], np.int64)}
    darkness = [
        helper.make_node("ReduceMean", ["embedding", "axis"], ["mean"]),
        helper.make_node("Mul", ["intermediate", "none"], ["zero"]),  # without influence, but in the graph
        helper.make_node("Add", ["mean", "zero"], ["level"]),
        helper.make_node("Sub", ["dark", "level"], ["plain" if decoder.layout else "logits"]),
        *(_PLACED if decoder.layout else []),
        helper.make_node("Squeeze", ["logits", "axis"], ["mask"]),
        helper.make_node("Sigmoid", ["logits"], ["probability"]),
        helper.make_node("MaxPool", ["probability"], ["heat"], kernel_shape=[HEAT] * 2, strides=[HEAT] * 2),
        helper.make_node("Squeeze", ["heat", "axis"], ["heatmap"]),
    ]
    _save(folder / "segment_decoder.onnx", darkness, constants, decoder)


def make_defect_recipe(
    folder: Path,
    views: Sequence[str] = ("top",),
    *,
    segment: str = 'when = "always"',
    zones: str = "",
    thresholds: SegmentThresholds | None = None,
    reference: NDArray[np.uint8] | None = None,
    sealed: bool = True,
    **options: object,
) -> Path:
    """As make_recipe, and every view looks for defects.

    Args:
        folder: of the recipe.
        views: their names.
        segment: the table of this name of every view.
        zones: further tables, after it.
        thresholds: instead of the defaults.
        reference: frame to seal with, instead of one with a good part.
        sealed: with reference frames and recipe.lock.
        options: of make_recipe.
    """
    rest = "\n".join([str(options.pop("rest", "")), *(f"[view.{view}.segment]\n{segment}" for view in views), zones])
    make_recipe(folder, views, rest=rest, sealed=False, **options)  # type: ignore[arg-type]  # options by name
    for view in views:
        write_segment(folder / view, *cards())
        if thresholds is not None:
            write_segment_thresholds(folder / view / FILE_NAME, thresholds)
    if sealed:
        frames = folder.parent / f"{folder.name}-frames"
        frames.mkdir()
        cv2.imwrite(str(frames / "part.png"), frame_with_part() if reference is None else reference)
        seal(folder, {view: [frames / "part.png"] for view in views}, keep=1)
    return folder


def with_defect(frame: NDArray[np.uint8], x: int, y: int, width: int = 16, height: int = 8) -> NDArray[np.uint8]:
    """The frame with a dark rectangle in it, px."""
    frame = frame.copy()
    frame[y : y + height, x : x + width] = 0
    return frame


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: Mapping[str, NDArray[np.generic]],
    card: SegmentEncoderCard | SegmentDecoderCard,
) -> None:
    inputs, outputs = (
        [
            helper.make_tensor_value_info(one.name, helper.np_dtype_to_tensor_dtype(one.dtype), ["N", *one.shape[1:]])
            for one in side
        ]
        for side in card.tensors()
    )
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "darkness", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, {METADATA_KEY: write_card(card)})
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
