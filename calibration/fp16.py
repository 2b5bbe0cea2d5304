"""16-bit networks: convolutions and what lies between them in float16, all the rest in float32.

Written with explicit casts, as strongly typed builders (TensorRT 11) need it. Our own, because converters that are at hand
round every tensor between two float32 operations to float16 and back (that of ONNX Runtime 1.31 and onnxconverter-common
alike): positions of 300 px would come in steps of a quarter of a pixel, and squares of grey levels overflow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from calibration import onnx_graph

# What may stand between two layers. Sums over a whole image, normalisation and coordinates are not among them.
_MAPS = ("AveragePool", "Concat", "MaxPool", "Pad", "Reshape", "Resize", "Slice", "Split", "Transpose")
_BETWEEN = frozenset(
    ("Add", "Clip", "HardSigmoid", "HardSwish", "LeakyRelu", "Mul", "PRelu", "Relu", "Sigmoid", *_MAPS)
)
_ONLY_FIRST = frozenset(("Resize",))  # its scales are float32 whatever it resizes


def to_fp16(model: onnx_graph.Model, kept: Collection[str]) -> bytes:
    """The network with its layers in float16, but for those among `kept`; inputs and outputs as they are.

    Args:
        model: as read; stays as it is.
        kept: names of layers.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    rewrite = _Rewrite(changed, kept)
    nodes = list(rewrite.nodes())
    del changed.graph.node[:]
    changed.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    weights = [tensor for tensor in (*changed.graph.initializer, *rewrite.halves.values()) if tensor.name in used]
    del changed.graph.initializer[:]
    changed.graph.initializer.extend(weights)
    return onnx_graph.finished(changed, model)


class _Rewrite:
    """Copies the nodes of a graph in their order, with casts wherever a tensor passes from one type to the other."""

    def __init__(self, model: onnx_graph.Model, kept: Collection[str]) -> None:
        graph = model.graph
        self._graph = graph
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        values = (*graph.value_info, *graph.input, *graph.output)
        types = {value.name: value.type.tensor_type.elem_type for value in values}
        types |= {name: tensor.data_type for name, tensor in self._weights.items()}
        self._floats = {name for name, kind in types.items() if kind == TensorProto.FLOAT}
        self._lowered = _lowered(model, set(onnx_graph.layers(model)) - set(kept))
        made = {name for node in graph.node if node.name in self._lowered for name in node.output}
        self._is_half = made & self._floats
        self._cast: set[str] = set()
        self.halves: dict[str, TensorProto] = {}

    def nodes(self) -> Iterator[NodeProto]:
        """Every node, and the casts before those that need them."""
        for node in self._graph.node:
            is_lowered = node.name in self._lowered
            for place, name in enumerate(node.input):
                fixed = place > 0 and node.op_type in _ONLY_FIRST
                if is_lowered and not fixed and name in self._floats and name not in self._is_half:
                    yield from self._as_half(node, place)
                elif (not is_lowered or fixed) and name in self._is_half:
                    yield from self._converted(node, place, TensorProto.FLOAT, "fp32")
            yield node

    def _as_half(self, node: NodeProto, place: int) -> Iterator[NodeProto]:
        weight = self._weights.get(node.input[place])
        if weight is None:
            yield from self._converted(node, place, TensorProto.FLOAT16, "fp16")
            return
        with np.errstate(over="ignore"):  # what does not fit is seen by the keypoints, and the layer kept
            values = numpy_helper.to_array(weight).astype(np.float16)
        node.input[place] = f"{weight.name}_fp16"
        self.halves.setdefault(node.input[place], numpy_helper.from_array(values, node.input[place]))

    def _converted(self, node: NodeProto, place: int, kind: int, suffix: str) -> Iterator[NodeProto]:
        name = node.input[place]
        node.input[place] = f"{name}_{suffix}"
        if node.input[place] not in self._cast:
            self._cast.add(node.input[place])
            yield helper.make_node("Cast", [name], [node.input[place]], f"cast_{name}_{suffix}", to=kind)


def _lowered(model: onnx_graph.Model, layers: Collection[str]) -> set[str]:
    """Names of the nodes to run in float16: `layers`, and what leads from one of them to nothing but others."""
    outputs = {value.name for value in model.graph.output}
    fed: set[str] = set()  # tensors that come out of layers, through what may stand between
    between = set()
    for node in model.graph.node:
        if node.name in layers or (node.op_type in _BETWEEN and fed & set(node.input)):
            between.add(node.name)
            fed |= set(node.output)
    wanted: set[str] = set()  # tensors that lead to a layer
    lowered = set()
    for node in reversed(model.graph.node):
        is_shown = bool(outputs & set(node.output))
        if node.name in between and not is_shown and (node.name in layers or wanted & set(node.output)):
            lowered.add(node.name)
            wanted |= set(node.input)
    return lowered
