"""Every network of the examples, in every precision, through a real TensorRT builder: that of TensorRT for RTX needs no GPU."""

import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from calibration import fp16, int8, onnx_graph
from engines.build import _built, _Watch  # the calls of `datumd build` by themselves: what is around them asks a driver
from engines.onnx_file import read_spec
from engines.plan import Profile

if find_spec("tensorrt_rtx_bindings") is None:
    pytest.skip("there is no TensorRT builder; next: pip install '.[rtx-builder]'", allow_module_level=True)

import tensorrt_rtx_bindings as trt

EXAMPLES = Path(__file__).parents[3] / "examples"
FILES = sorted(path for path in EXAMPLES.rglob("*.onnx") if path.name in ("coarse.onnx", "posed.onnx", "refine.onnx"))


def in_fp16(file: Path) -> bytes:
    return fp16.to_fp16(onnx_graph.read(file), [])


def in_int8(file: Path) -> bytes:
    model = onnx_graph.read(file)
    return int8.to_int8(model, dict.fromkeys(onnx_graph.layer_inputs(model), 4.0), [])  # any ranges: none is measured


@pytest.mark.parametrize("in_precision", [Path.read_bytes, in_fp16, in_int8], ids=["fp32", "fp16", "int8"])
@pytest.mark.parametrize("file", FILES, ids=[file.relative_to(EXAMPLES).as_posix() for file in FILES])
def test_it_builds(file: Path, in_precision: Callable[[Path], bytes]) -> None:
    network = in_precision(file)
    spec = read_spec(network)
    phases: list[object] = []
    plan = _built(trt, network, spec.inputs, Profile(2, 28), _Watch(phases.append, threading.Event()))
    assert len(plan) > 100_000
    assert phases
