"""The graph of an ONNX file, read to be rewritten in another precision. The library onnx is imported here and in fp16.py."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from pipeline.errors import DatumdError, NetworkError

try:
    import onnx
    import onnx.numpy_helper
    import onnx.shape_inference
except ModuleNotFoundError as missing:
    raise DatumdError(
        f"networks are rewritten with {missing.name}, which is not installed",
        next_command="pip install 'datumd[quantise]'",
    ) from None

from google.protobuf.message import DecodeError

Model = onnx.ModelProto
LAYER = "Conv"
VERSION = onnx.__version__


def read(path: Path) -> Model:
    """The model in a file, with the type and shape of every tensor and a name for every layer.

    Raises:
        NetworkError: it is none, or it is not sound.
    """
    try:
        model = onnx.shape_inference.infer_shapes(onnx.load(path), check_type=True, strict_mode=True)
    except (OSError, DecodeError, ValueError, onnx.shape_inference.InferenceError) as problem:
        what = " ".join(str(problem).split())[:200]
        raise NetworkError(f"is no network that can be rewritten: {what}", where=str(path)) from None
    taken = Counter(node.name for node in model.graph.node)
    for number, node in enumerate(model.graph.node):
        if not node.name or taken[node.name] > 1:
            node.name = f"{node.name or node.op_type}_{number}"
    return model


def layers(model: Model) -> dict[str, int]:
    """The layers that another precision is for, in the order in which they run: convolutions with fixed weights.

    Fully connected layers are left as they are. They end in coordinates, where precision is dearest, and take few of the
    multiply-adds: 0.2 % in the network of the example.

    Returns:
        Name to multiply-adds for one image.
    """
    fixed = {tensor.name: tensor for tensor in model.graph.initializer}
    values = {value.name: value.type.tensor_type.shape for value in (*model.graph.value_info, *model.graph.output)}
    found = {}
    for node in model.graph.node:
        if node.op_type == LAYER and node.input[1] in fixed:
            pixels = math.prod(size.dim_value for size in values[node.output[0]].dim[2:])
            found[node.name] = pixels * math.prod(fixed[node.input[1]].dims)
    return found


def layer_inputs(model: Model) -> list[str]:
    """The tensors that layers read, each once."""
    chosen = set(layers(model))
    return list(dict.fromkeys(node.input[0] for node in model.graph.node if node.name in chosen))


def with_outputs(model: Model, tensors: list[str]) -> bytes:
    """A network that also gives `tensors` of its inside."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    values = {value.name: value for value in model.graph.value_info}
    shown.graph.output.extend(values[name] for name in tensors if name in values)
    return serialised(shown)


def finished(model: Model, source: Model) -> bytes:
    """A rewritten model as the bytes of a file: checked, with the metadata and the names of its source.

    Raises:
        NetworkError: types or shapes do not fit together.
    """
    del model.metadata_props[:], model.graph.value_info[:]
    model.metadata_props.extend(source.metadata_props)
    model.producer_name, model.producer_version = source.producer_name, source.producer_version
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as problem:
        raise NetworkError(f"was rewritten wrongly: {' '.join(str(problem).split())[:200]}") from None
    return serialised(model)


def serialised(model: Model) -> bytes:
    """The same bytes for the same model."""
    return bytes(model.SerializeToString(deterministic=True))
