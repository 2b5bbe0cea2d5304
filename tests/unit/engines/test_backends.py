"""What holds of every backend that runs on a CPU, through the loader."""

import gc
import os
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from engines.engine import Engine
from engines.errors import EngineRefused
from engines.load import load_engine
from tests.unit.engines.networks import CPU_BACKENDS, product_with, write_network

RUNS = 1000
EXAMPLES = Path(__file__).parents[3] / "examples"
pytestmark = pytest.mark.parametrize("backend", CPU_BACKENDS)


@pytest.fixture
def engine(tmp_path: Path, backend: str) -> Engine:
    return load_engine(write_network(tmp_path / "net.onnx", ["N", 3]), backend=backend)


def test_the_spec_tells_tensors_metadata_and_hash(engine: Engine, backend: str) -> None:
    (tensor,) = engine.spec.inputs
    assert str(tensor) == "x float32 (N, 3)"
    assert engine.spec.metadata["colour"] == "green"
    assert len(engine.spec.sha256) == 64
    assert engine.backend.startswith(f"{backend} ")


def test_batches_of_any_size_run_in_buffers_that_stay(engine: Engine) -> None:
    engine.warm_up(2)
    two = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    first = engine.run({"x": two})["y"]
    assert np.array_equal(first, -two)
    assert np.array_equal(engine.run({"x": two[:1]})["y"], -two[:1])
    assert engine.run({"x": two + 1})["y"] is first
    assert np.array_equal(first, -two - 1)


def test_inputs_are_read_where_they_lie_now(engine: Engine) -> None:
    memory = np.zeros((3, 3), np.float32)
    for value in (1.0, 2.0):  # in place
        memory[:] = value
        assert (engine.run({"x": memory})["y"] == -value).all()
    for start in (0, 1):  # of one size, elsewhere
        memory[:] = np.arange(9, dtype=np.float32).reshape(3, 3)
        window = memory[start : start + 2]
        assert np.array_equal(engine.run({"x": window})["y"], -window)
    memory.flags.writeable = False
    assert np.array_equal(engine.run({"x": memory})["y"], -memory)


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
def test_other_inputs_are_refused(engine: Engine, inputs: dict[str, NDArray[np.generic]]) -> None:
    with pytest.raises(EngineRefused, match="the network takes"):
        engine.run(inputs)


def test_a_closed_network_does_not_run(engine: Engine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(EngineRefused, match="closed"):
        engine.run({"x": np.zeros((1, 3), np.float32)})
    with pytest.raises(EngineRefused, match="closed"):
        engine.warm_up(1)


def test_what_is_no_network_is_refused(tmp_path: Path, backend: str) -> None:
    with pytest.raises(EngineRefused, match="No such file"):
        load_engine(tmp_path / "missing.onnx", backend=backend)
    for content in (b"no network", b"", b"<net/>", write_network(tmp_path / "net.onnx", ["N", 3]).read_bytes()[:60]):
        (tmp_path / "net.onnx").write_bytes(content)
        with pytest.raises(EngineRefused, match="is no "):
            load_engine(tmp_path / "net.onnx", backend=backend)
    with pytest.raises(EngineRefused, match="only the first size may be left open"):
        load_engine(write_network(tmp_path / "open.onnx", [1, "W"]), backend=backend)
    with pytest.raises(EngineRefused, match=r"is no network that .* accepts: .*Abacus"):
        load_engine(write_network(tmp_path / "unknown.onnx", ["N", 3], "Abacus"), backend=backend)


@pytest.mark.parametrize(
    "location", ["/weights.bin", "../weights.bin", "*/_ORT_MEM_ADDR_/*", "./*/_ORT_MEM_ADDR_/*", "weights.bin"]
)
def test_no_weights_outside_of_the_file_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, location: str
) -> None:
    """Absolute, above, beside; and a place that means an address in memory to the libraries themselves."""
    content = np.ones((300, 300), np.float32)
    inside = tmp_path / "inside.onnx"
    inside.write_bytes(product_with(onnx.numpy_helper.from_array(content, "w")).SerializeToString())
    load_engine(inside, backend=backend).warm_up(1)
    where = tmp_path / "below" if location.startswith("..") else tmp_path
    where.mkdir(exist_ok=True)
    (tmp_path / "weights.bin").write_bytes(content.tobytes())
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[300, 300], data_location=TensorProto.EXTERNAL)
    place = str(tmp_path / "weights.bin") if location.startswith("/") else location
    offset = content.ctypes.data if "MEM" in location else 0
    for key, value in (("location", place), ("offset", str(offset)), ("length", str(content.nbytes))):
        weights.external_data.add(key=key, value=value)
    (where / "split.onnx").write_bytes(product_with(weights).SerializeToString())
    monkeypatch.chdir(where)
    with pytest.raises(EngineRefused, match=r"outside of the file|is no network that ONNX Runtime accepts"):
        load_engine(where / "split.onnx", backend=backend)


def test_metadata_that_is_no_text(tmp_path: Path, backend: str) -> None:
    model = onnx.load(write_network(tmp_path / "net.onnx", ["N", 3]))
    model.metadata_props.add(key="datumd", value="ABCD")
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString().replace(b"ABCD", b"\xff\xfe\x80\xff"))
    with pytest.raises(EngineRefused, match="its metadata is no text"):
        load_engine(tmp_path / "net.onnx", backend=backend)


def test_nothing_is_allocated_for_a_frame(backend: str) -> None:
    engine = load_engine(EXAMPLES / "photos/tubes/top/refine.onnx", backend=backend)
    engine.warm_up(2)
    sizes = [
        {tensor.name: np.zeros(tensor.sized(batch), tensor.dtype) for tensor in engine.spec.inputs}
        for batch in (2, 3)  # one that was announced, one that was not
    ]
    places = [[array.ctypes.data for array in engine.run(inputs).values()] for inputs in sizes]
    run_all(engine, sizes, RUNS // 4)
    before_mib = resident_mib()
    run_all(engine, sizes, RUNS)
    assert (
        resident_mib() - before_mib < 3.0
    )  # the inputs alone, kept from every run, would take 5.5; an allocator takes steps
    assert (
        min(python_bytes(engine, sizes) for _ in range(3)) < 2000
    )  # of 250 runs: one list or table may grow, and no object may stay of each run
    assert [[array.ctypes.data for array in engine.run(inputs).values()] for inputs in sizes] == places


def run_all(engine: Engine, sizes: list[dict[str, NDArray[np.generic]]], runs: int) -> None:
    for _ in range(runs // len(sizes)):
        for inputs in sizes:
            engine.run(inputs)


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def python_bytes(engine: Engine, sizes: list[dict[str, NDArray[np.generic]]]) -> int:
    """By how much Python's memory grows over 250 runs, arrays included."""
    gc.collect()
    tracemalloc.start()
    try:
        engine.run(sizes[0])
        before = tracemalloc.get_traced_memory()[0]
        run_all(engine, sizes, RUNS // 4)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
