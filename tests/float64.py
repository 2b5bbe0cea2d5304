"""An ONNX network in torch, every number a float64: what all backends and precisions are compared with.

A reading of the file of its own, so that it shares no mistake with a library that runs it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor

from engines.engine import Tensors
from engines.onnx_file import read_spec
from pipeline.inspector import Inspector
from pipeline.keypoint_stages import load_keypoint_stages
from pipeline.network import Card, Network, read_card
from pipeline.recipe import Recipe
from pipeline.stages.locate import make_locate
from pipeline.view_stages import ViewStages

Attributes = dict[str, Any]


class Float64Engine:
    """See engines.engine.Engine. Knows the operators that our exporter writes; another one is a KeyError."""

    backend = f"torch {torch.__version__} float64"

    def __init__(self, file: Path) -> None:
        network = file.read_bytes()
        self.spec = read_spec(network)
        graph = onnx.load_from_string(network).graph
        self._weights = {one.name: _float64(numpy_helper.to_array(one)) for one in graph.initializer}
        self._nodes = [
            (node, {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}) for node in graph.node
        ]

    def warm_up(self, batch: int) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is held."""

    def run(self, inputs: Tensors) -> dict[str, NDArray[Any]]:
        values: dict[str, Tensor | None] = {"": None, **self._weights}
        values.update({name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in inputs.items()})
        with torch.inference_mode():
            for node, attributes in self._nodes:
                outcome = _OPERATORS[node.op_type](attributes, *(values[name] for name in node.input))
                outcomes = [outcome] if isinstance(outcome, Tensor) else outcome
                values.update(zip(node.output, outcomes, strict=True))
        return {tensor.name: _array(values[tensor.name]) for tensor in self.spec.outputs}


def float64_inspector(recipe: Recipe, view: str) -> Inspector:
    """Inspects one view of a recipe with its networks in float64."""

    def load(path: Path, role: type[Card]) -> Network[Card]:
        engine = Float64Engine(path)
        return Network(path, read_card(engine.spec, role, path), engine)

    files = recipe.views[view]
    stages = load_keypoint_stages(files, files.settings.keypoints, load)
    return Inspector(recipe, {view: ViewStages(files, make_locate(files.settings.locate, view, stages.device), stages)})


def _array(value: Tensor | None) -> NDArray[Any]:
    assert value is not None
    return value.numpy()


def _float64(array: NDArray[Any]) -> Tensor:
    value = torch.from_numpy(array.copy())
    return value.double() if value.is_floating_point() else value


def _integers(value: Tensor) -> list[int]:
    return [int(one) for one in value.flatten().tolist()]


def _cast(attributes: Attributes, x: Tensor) -> Tensor:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(attributes["to"])
    return x.double() if np.issubdtype(dtype, np.floating) else x.to(getattr(torch, dtype.name))


def _conv(attributes: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    top, left, bottom, right = attributes.get("pads", [0] * 4)
    rest = attributes.get("strides", 1), 0, attributes.get("dilations", 1), attributes.get("group", 1)
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, *rest)


def _gemm(attributes: Attributes, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    a, b = (x.T if attributes.get(turned) else x for x, turned in ((a, "transA"), (b, "transB")))
    alpha, beta = (float(attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    return alpha * (a @ b) + beta * c


def _gather(attributes: Attributes, x: Tensor, index: Tensor) -> Tensor:
    axis = attributes.get("axis", 0) % x.ndim
    taken = x.index_select(axis, index.flatten())
    return taken.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


def _reduce(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduce(attributes: Attributes, x: Tensor, axes: Tensor) -> Tensor:
        return function(x, dim=_integers(axes), keepdim=bool(attributes.get("keepdims", 1)))

    return reduce


def _reshape(attributes: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    keeps_zero = attributes.get("allowzero", 0)
    sizes = [x.shape[axis] if size == 0 and not keeps_zero else size for axis, size in enumerate(_integers(shape))]
    return x.reshape(sizes)


def _resize(attributes: Attributes, x: Tensor, _region: None, scales: Tensor) -> Tensor:
    how = attributes["mode"], attributes["nearest_mode"], attributes["coordinate_transformation_mode"]
    assert how == (b"nearest", b"floor", b"asymmetric")
    for axis, scale in enumerate(scales.tolist()):
        places = torch.arange(int(x.shape[axis] * scale)) / scale
        x = x.index_select(axis, places.floor().long())
    return x


def _slice(_: Attributes, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor, *steps: Tensor) -> Tensor:
    assert all(_integers(step) == [1] * len(_integers(step)) for step in steps)
    for axis, start, end in zip(*map(_integers, (axes, starts, ends)), strict=True):
        cut = [slice(None)] * x.ndim
        cut[axis] = slice(start, end)
        x = x[tuple(cut)]
    return x


def _split(attributes: Attributes, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    axis = attributes.get("axis", 0)
    if sizes is None:
        return x.tensor_split(attributes["num_outputs"], axis)
    return torch.split(x, _integers(sizes), axis)


def _squeeze(_: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    return x.squeeze(tuple(_integers(axes)))


def _unsqueeze(_: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    for axis in sorted(one % (x.ndim + axes.numel()) for one in _integers(axes)):
        x = x.unsqueeze(axis)
    return x


_OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": lambda _, a, b: a + b,
    "Cast": _cast,
    "Clip": lambda _, x, low, high: x.clamp(low, high),
    "Concat": lambda attributes, *parts: torch.cat(parts, attributes["axis"]),
    "Conv": _conv,
    "Div": lambda _, a, b: a / b,
    "Exp": lambda _, x: x.exp(),
    "Gather": _gather,
    "Gemm": _gemm,
    "Log": lambda _, x: x.log(),
    "MatMul": lambda _, a, b: a @ b,
    "Mul": lambda _, a, b: a * b,
    "Pow": lambda _, a, b: a**b,
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "Relu": lambda _, x: x.relu(),
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _slice,
    "Softmax": lambda attributes, x: x.softmax(attributes.get("axis", -1)),
    "Split": _split,
    "Sqrt": lambda _, x: x.sqrt(),
    "Squeeze": _squeeze,
    "Sub": lambda _, a, b: a - b,
    "Transpose": lambda attributes, x: x.permute(*attributes["perm"]),
    "Unsqueeze": _unsqueeze,
}
