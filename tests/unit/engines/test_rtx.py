"""TensorRT for RTX as a plug-in of ONNX Runtime: what can be known without a GPU that it runs on."""

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.backends import rtx
from engines.backends.onnxruntime import OnnxRuntimeEngine, Plugin
from engines.errors import EngineUnavailable
from engines.load import BEST_FIRST, choose, load_engine
from engines.onnx_file import read_spec
from tests.unit.engines.networks import write_network

# isort: split
import onnxruntime as ort  # last: our backend keeps it from telling a server that it is used

EXAMPLES = Path(__file__).parents[3] / "examples"
REFINE = EXAMPLES / "bracket" / "top" / "refine.onnx"


def test_one_build_takes_all_batches_up_to_the_largest() -> None:
    settings = rtx.settings(read_spec(REFINE.read_bytes()))
    assert settings["nv_profile_min_shapes"] == "patches:1x48x48x1,keypoint:1,span:1"
    assert settings["nv_profile_max_shapes"] == f"patches:{rtx.MOST}x48x48x1,keypoint:{rtx.MOST},span:{rtx.MOST}"


def test_the_plug_in_knows_our_settings() -> None:
    package = find_spec(rtx.PACKAGE)
    if package is None or package.origin is None:
        pytest.skip(f"{rtx.PACKAGE} is not installed; next: pip install '.[rtx]'")
    header = Path(package.origin).with_name("tensorrt_rtx_provider_options.h").read_text()
    known = set(re.findall(r'constexpr const char\* \w+ = "(\w+)"', header))
    assert rtx.settings(read_spec(REFINE.read_bytes())).keys() <= known


def test_it_is_taken_by_name_only_and_says_what_is_missing() -> None:
    assert all("tensorrt-rtx" not in order for order in BEST_FIRST.values())
    what = rtx.missing()
    if what is None:
        pytest.skip("there is a GPU that it runs on")
    assert "\n" not in what
    with pytest.raises(EngineUnavailable) as refused:
        load_engine(REFINE, backend="tensorrt-rtx")
    assert refused.value.what == what
    with pytest.raises(EngineUnavailable):
        choose("tensorrt-rtx")


class _CopyingBinding(ort.IOBinding):  # type: ignore[misc]  # no types are published
    """Takes inputs as a session on a GPU does: a copy, made when they are bound (IOBinding::BindInput)."""

    def bind_cpu_input(self, name: str, arr_on_cpu: NDArray[np.generic]) -> None:
        super().bind_cpu_input(name, arr_on_cpu.copy())


class _CopyingSession(ort.InferenceSession):  # type: ignore[misc]  # likewise
    def __init__(self, network: bytes, options: ort.SessionOptions) -> None:
        del options  # they say that all must run on a plug-in's device
        super().__init__(network, providers=["CPUExecutionProvider"])

    def io_binding(self) -> ort.IOBinding:
        return _CopyingBinding(self)


def test_every_run_sees_what_its_images_hold_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "InferenceSession", _CopyingSession)
    processor = next(device for device in ort.get_ep_devices() if device.ep_name == "CPUExecutionProvider")
    network = write_network(tmp_path / "n.onnx", ["N", 3]).read_bytes()
    engine = OnnxRuntimeEngine(network, threads=1, plugin=Plugin(processor, {}))
    image = np.zeros((1, 3), np.float32)
    for level in (1.0, 2.0):
        image[:] = level
        assert engine.run({"x": image})["y"].tolist() == [[-level] * 3]


def test_it_finds_what_onnx_runtime_finds() -> None:
    if what := rtx.missing():
        pytest.skip(what)
    engine, reference = (load_engine(REFINE, backend=name) for name in ("tensorrt-rtx", "onnxruntime"))
    noise = np.random.default_rng(0)
    for batch in (1, 14, 28):
        inputs = {
            "patches": noise.integers(0, 256, (batch, 48, 48, 1)).astype(np.uint8),
            "keypoint": np.arange(batch) % 14,
            "span": np.arange(batch) % 2,
        }
        found, expected = engine.run(inputs)["offset"], reference.run(inputs)["offset"]
        assert np.quantile(np.abs(found - expected), 0.99) < 0.02  # of the patch's px
