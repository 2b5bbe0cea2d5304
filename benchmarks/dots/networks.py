"""Small networks made without training: they find bright dots on a dark ground."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engines.spec import TensorSpec
from pipeline.network import METADATA_KEY, CoarseCard, PosedCard, RefineCard, write_card

OPSET = 18
IR_VERSION = 10


def write_coarse(path: Path, card: CoarseCard, dots_small_px: NDArray[np.float64], *, visible: Sequence[float]) -> None:
    """A coarse network: the keypoints keep their places about the centre of all light.

    Args:
        path: the ONNX file.
        card: its metadata. With `has_sigma`, sigma is 3 px in x and 4 px in y.
        dots_small_px: (K, 2) places for which the centre of light is their mean.
        visible: K logits that are added to "exists"; an image without light takes 40 from each.
    """
    _write_of_image(path, card, card.small_wh, dots_small_px, visible)


def write_posed(path: Path, card: PosedCard, *, visible: Sequence[float]) -> None:
    """A posed network, as write_coarse with the card's pose as the places."""
    _write_of_image(path, card, card.image_wh, np.array(card.pose_px), visible)


def _write_of_image(
    path: Path,
    card: CoarseCard | PosedCard,
    wh: tuple[int, int],
    dots_px: NDArray[np.float64],
    visible: Sequence[float],
) -> None:
    width, height = wh
    offsets = dots_px - dots_px.mean(axis=0)
    graph = _Graph()
    centre, light = _centre_of_light(graph, "image", height, width)
    places = graph.node("Add", [graph.node("Unsqueeze", [centre, graph.ints([1])]), graph.floats(offsets[None])], "xy")
    if card.has_sigma:
        _sigma(graph, places)
    _visibility(graph, light, np.asarray(visible)[None, :, None])
    graph.save(path, card)


def write_refine(path: Path, card: RefineCard) -> None:
    """A refine network: to the centre of light of the patch."""
    graph = _Graph()
    centre, light = _centre_of_light(graph, "patches", card.patch, card.patch)
    middle = graph.floats(np.full((1, 2), (card.patch - 1) / 2))
    offset = graph.node("Sub", [centre, middle])
    for index in ("keypoint", "span"):  # without influence, but in the graph
        number = graph.node("Cast", [index], to=TensorProto.FLOAT)
        nothing = graph.node("Mul", [number, graph.floats(np.zeros(1))])
        offset = graph.node("Add", [offset, graph.node("Unsqueeze", [nothing, graph.ints([1])])])
    graph.node("Identity", [offset], "offset")
    if card.has_sigma:
        _sigma(graph, offset)
    _visibility(graph, light, np.zeros((1, 1)))
    graph.save(path, card)


def _sigma(graph: "_Graph", places: str) -> None:
    """3 and 4 px, whatever is seen."""
    nothing = graph.node("Mul", [places, graph.floats([0.0])])
    graph.node("Add", [nothing, graph.floats([3.0, 4.0])], "sigma")


def _centre_of_light(graph: "_Graph", image: str, height: int, width: int) -> tuple[str, str]:
    """x, y (N, 2) and the brightest level 0 to 1 (N, 1) of uint8 (N, h, w, 1). Bright pixels count far more than dark."""
    levels = graph.node("Mul", [graph.node("Cast", [image], to=TensorProto.FLOAT), graph.floats([1 / 255])])
    weights = graph.node("Add", [graph.node("Pow", [levels, graph.floats([4.0])]), graph.floats([1e-7])])
    total = graph.node("ReduceSum", [weights, graph.ints([1, 2])], keepdims=0)
    rows, columns = np.indices((height, width), np.float32)
    places = graph.floats(np.stack([columns, rows], axis=-1)[None])
    moments = graph.node("ReduceSum", [graph.node("Mul", [weights, places]), graph.ints([1, 2])], keepdims=0)
    brightest = graph.node("ReduceMax", [levels, graph.ints([1, 2])], keepdims=0)
    return graph.node("Div", [moments, total]), brightest


def _visibility(graph: "_Graph", light: str, bias: NDArray[np.float64]) -> None:
    exists = graph.node("Mul", [graph.node("Sub", [light, graph.floats([0.5])]), graph.floats([40.0])])
    if bias.ndim == 3:
        exists = graph.node("Unsqueeze", [exists, graph.ints([1])])
    clipped = graph.node("Min", [exists, graph.floats([0.0])])
    logit = graph.node("Add", [clipped, graph.floats(bias)])
    graph.node("Concat", [logit, graph.node("Mul", [logit, graph.floats([0.0])])], "visibility", axis=-1)


class _Graph:
    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def node(self, operator: str, inputs: list[str], output: str = "", **attributes: int) -> str:
        output = output or f"t{len(self._nodes)}"
        node = helper.make_node(operator, inputs, [output])
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self._nodes.append(node)
        return output

    def floats(self, values: object) -> str:
        return self._constant(np.asarray(values, np.float32))

    def ints(self, values: list[int]) -> str:
        return self._constant(np.asarray(values, np.int64))

    def _constant(self, values: NDArray[np.generic]) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def save(self, path: Path, card: CoarseCard | PosedCard | RefineCard) -> None:
        inputs, outputs = ([_value_info(tensor) for tensor in side] for side in card.tensors())
        graph = helper.make_graph(self._nodes, "dots", inputs, outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        helper.set_model_props(model, {METADATA_KEY: write_card(card)})
        onnx.checker.check_model(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, str(path))


def _value_info(tensor: TensorSpec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        tensor.name, helper.np_dtype_to_tensor_dtype(tensor.dtype), ["N", *tensor.shape[1:]]
    )
