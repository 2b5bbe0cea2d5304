"""ONNX files read without a library."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engines.errors import EngineRefused
from engines.load import load_engine
from engines.onnx_file import read_spec
from tests.unit.engines.networks import product_with, write_network

EXAMPLES = Path(__file__).parents[3] / "examples"
FILES = sorted(EXAMPLES.rglob("*.onnx"))


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(EXAMPLES)) for file in FILES])
def test_the_same_is_read_as_by_onnx_runtime(file: Path) -> None:
    assert read_spec(file.read_bytes()) == load_engine(file, backend="onnxruntime").spec


def external() -> TensorProto:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[300, 300], data_location=TensorProto.EXTERNAL)
    weights.external_data.add(key="location", value="weights.bin")
    return weights


def test_a_weight_outside_is_found_wherever_it_is_named() -> None:
    inside = onnx.numpy_helper.from_array(np.ones((300, 300), np.float32), "w")
    graph = helper.make_graph([], "branch", [], [], [external()])
    model = product_with(inside)
    model.graph.node.append(helper.make_node("If", ["c"], ["z"], then_branch=graph, else_branch=graph))
    with pytest.raises(EngineRefused, match="'w' outside of the file"):
        read_spec(model.SerializeToString())
    model = product_with(inside)
    model.graph.node.append(helper.make_node("Constant", [], ["z"], value=external()))
    with pytest.raises(EngineRefused, match="'w' outside of the file"):
        read_spec(model.SerializeToString())
    sparse = product_with(inside)
    sparse.graph.sparse_initializer.add().values.CopyFrom(external())
    with pytest.raises(EngineRefused, match="'w' outside of the file"):
        read_spec(sparse.SerializeToString())


def test_a_weight_is_no_input() -> None:
    model = product_with(onnx.numpy_helper.from_array(np.ones((300, 300), np.float32), "w"))
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [300, 300]))
    assert [tensor.name for tensor in read_spec(model.SerializeToString()).inputs] == ["x"]


def test_every_cut_of_a_file_is_refused_or_read(tmp_path: Path) -> None:
    whole = write_network(tmp_path / "net.onnx", ["N", 3]).read_bytes()
    read = 0
    for end in range(len(whole)):
        try:
            read_spec(whole[:end])
        except EngineRefused:
            continue
        read += 1
    assert read < 5  # a file may end between two fields: after the graph that is a whole one


def test_a_nest_without_end_is_refused() -> None:
    inside = b""
    for _ in range(60):  # a graph in an attribute of a node of a graph: deeper than onnx itself writes
        for field in (6, 5, 1):
            inside = bytes([field << 3 | 2]) + varint(len(inside)) + inside
    with pytest.raises(EngineRefused, match="nested too deeply"):
        read_spec(bytes([7 << 3 | 2]) + varint(len(inside)) + inside)


def varint(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14])


def test_types_that_no_engine_has_are_refused() -> None:
    tensor = helper.make_tensor_value_info("x", TensorProto.STRING, ["N", 3])
    with pytest.raises(EngineRefused, match="tensor x has the ONNX type 8; allowed: float32"):
        read_spec(helper.make_model(helper.make_graph([], "t", [tensor], [])).SerializeToString())


@pytest.mark.parametrize("size", [1 << 31, (1 << 32) + 3, -3])
def test_sizes_that_no_image_has_are_refused(size: int) -> None:
    tensor = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", size])
    with pytest.raises(EngineRefused, match=r"has a size or type of \d+; allowed: 2147483647"):
        read_spec(helper.make_model(helper.make_graph([], "t", [tensor], [])).SerializeToString())


@pytest.mark.parametrize("is_deep", [False, True], ids=["of the model", "of its graphs"])
def test_fields_without_end_are_not_walked_through(is_deep: bool) -> None:
    empty = bytes([1 << 3 | 2, 0]) * 16_000  # nodes without anything
    graph = bytes([7 << 3 | 2]) + varint(len(empty)) + empty
    with pytest.raises(EngineRefused, match="has more than 262144 fields"):
        read_spec(graph * 20 if is_deep else b"\x08\x01" * (1 << 19))
