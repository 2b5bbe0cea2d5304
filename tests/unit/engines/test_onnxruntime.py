"""The ONNX Runtime backend through the loader."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engines.engine import Engine
from engines.errors import EngineRefused, EngineUnavailable
from engines.load import LARGEST_BYTES, load_engine


def write_network(path: Path, shape: list[int | str], operator: str = "Neg") -> Path:
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"])], "test", tensors[:1], tensors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"colour": "green"})
    onnx.save(model, str(path))
    return path


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return load_engine(write_network(tmp_path / "net.onnx", ["N", 3]))


def test_the_spec_tells_tensors_metadata_and_hash(engine: Engine) -> None:
    (tensor,) = engine.spec.inputs
    assert str(tensor) == "x float32 (N, 3)"
    assert engine.spec.metadata["colour"] == "green"
    assert len(engine.spec.sha256) == 64
    assert engine.backend.startswith("onnxruntime ")


def test_batches_of_any_size_run_in_buffers_that_stay(engine: Engine) -> None:
    engine.warm_up(2)
    two = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    first = engine.run({"x": two})["y"]
    assert np.array_equal(first, -two)
    assert np.array_equal(engine.run({"x": two[:1]})["y"], -two[:1])
    assert engine.run({"x": two + 1})["y"] is first
    assert np.array_equal(first, -two - 1)


@pytest.mark.parametrize(
    "inputs",
    [
        {"z": np.zeros((1, 3), np.float32)},
        {"x": np.zeros((1, 4), np.float32)},
        {"x": np.zeros((1, 3), np.float64)},
        {"x": np.zeros((3, 2), np.float32).T},
    ],
    ids=["name", "shape", "dtype", "not contiguous"],
)
def test_other_inputs_are_refused(engine: Engine, inputs: dict[str, np.ndarray]) -> None:
    with pytest.raises(EngineRefused, match="the network takes"):
        engine.run(inputs)


def test_a_closed_network_does_not_run(engine: Engine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(EngineRefused, match="closed"):
        engine.run({"x": np.zeros((1, 3), np.float32)})


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineRefused, match="No such file"):
        load_engine(tmp_path / "missing.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(EngineRefused, match="is no network that ONNX Runtime accepts"):
        load_engine(tmp_path / "text.onnx")
    with pytest.raises(EngineRefused, match="only the first size may be left open"):
        load_engine(write_network(tmp_path / "open.onnx", [1, "W"]))


def test_weights_outside_of_the_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 300]) for name in ("x", "y")]
    weights = onnx.numpy_helper.from_array(np.ones((300, 300), np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "t", tensors[:1], tensors[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, str(tmp_path / "whole.onnx"))
    load_engine(tmp_path / "whole.onnx").warm_up(1)
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "weights.bin")
    onnx.save(model, str(tmp_path / "split.onnx"))
    assert (tmp_path / "weights.bin").exists()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EngineRefused, match="External data"):
        load_engine(tmp_path / "split.onnx")


@pytest.mark.parametrize(
    "location", ["/weights.bin", "../weights.bin", "*/_ORT_MEM_ADDR_/*", "./*/_ORT_MEM_ADDR_/*", "weights.bin"]
)
def test_no_place_of_weights_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str) -> None:
    """Absolute, above, beside; and a place that means an address in memory to ONNX Runtime itself."""
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 300]) for name in ("x", "y")]
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[300, 300])
    weights.data_location = TensorProto.EXTERNAL
    address = np.ones(300 * 300, np.float32)
    where = tmp_path / "below" if location.startswith("..") else tmp_path
    where.mkdir(exist_ok=True)
    (tmp_path / "weights.bin").write_bytes(address.tobytes())
    offset = address.ctypes.data if "MEM" in location else 0
    place = str(tmp_path / "weights.bin") if location.startswith("/") else location
    for key, value in (("location", place), ("offset", str(offset)), ("length", str(address.nbytes))):
        weights.external_data.add(key=key, value=value)
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "t", tensors[:1], tensors[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (where / "split.onnx").write_bytes(model.SerializeToString())
    monkeypatch.chdir(where)
    with pytest.raises(EngineRefused, match="is no network that ONNX Runtime accepts"):
        load_engine(where / "split.onnx")


def test_metadata_that_is_no_text(tmp_path: Path) -> None:
    model = onnx.load(write_network(tmp_path / "net.onnx", ["N", 3]))
    model.metadata_props.add(key="datumd", value="ABCD")
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString().replace(b"ABCD", b"\xff\xfe\x80\xff"))
    with pytest.raises(EngineRefused, match="its metadata is no text"):
        load_engine(tmp_path / "net.onnx")


@pytest.mark.time_limit_s(20)
def test_only_plain_files_of_a_size_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(EngineRefused, match="is no plain file"):
        load_engine(tmp_path / "pipe.onnx")
    with (tmp_path / "huge.onnx").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    with pytest.raises(EngineRefused, match="is too large"):
        load_engine(tmp_path / "huge.onnx")


def test_an_unknown_backend_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="'abacus'; allowed: auto, onnxruntime"):
        load_engine(write_network(tmp_path / "net.onnx", ["N", 3]), backend="abacus")
