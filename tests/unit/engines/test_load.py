"""From a name to a backend."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest

from engines.devices import libcuda
from engines.errors import EngineRefused, EngineUnavailable
from engines.load import BACKENDS, BEST_FIRST, LARGEST_BYTES, WITH_PLANS, _found, choose, load_engine
from pipeline.config import InferSettings
from tests.unit.engines.networks import write_network, write_rounding_network


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
    with pytest.raises(EngineUnavailable, match=f"'abacus'; allowed: auto, {', '.join(BACKENDS)}"):
        load_engine(write_network(tmp_path / "net.onnx", ["N", 3]), backend="abacus")


@pytest.mark.parametrize("is_int8", [False, True])
def test_auto_is_the_first_that_is_present_and_says_why_not_the_others(tmp_path: Path, is_int8: bool) -> None:
    chosen = choose("auto", is_int8=is_int8)
    order = BEST_FIRST[is_int8]
    for better in order[: order.index(chosen.backend)]:
        with pytest.raises(EngineUnavailable) as refusal:
            choose(better)
        assert f"{better}: {refusal.value.what}" in chosen.reason
    file = tmp_path / "net.onnx"
    engine = load_engine(write_rounding_network(file) if is_int8 else write_network(file, ["N", 3]))
    first_without_plan = next(name for name in order[order.index(chosen.backend) :] if name not in WITH_PLANS)
    assert engine.backend.startswith(f"{first_without_plan} ")
    assert str(chosen).startswith(f"{chosen.backend} (auto")
    given = np.array([[0.4, 0.6, -3.4]], np.float32)
    assert np.array_equal(engine.run({"x": given})["y"], np.round(given) if is_int8 else -given)


def test_a_backend_by_name_is_that_one_or_says_how_to_install_it() -> None:
    assert str(choose("onnxruntime")) == "onnxruntime (as configured)"
    if find_spec("openvino") is None:
        with pytest.raises(EngineUnavailable, match=r"pip install 'datumd\[openvino\]'"):
            choose("openvino")
    else:
        assert choose("openvino").backend == "openvino"


def test_a_missing_driver_comes_with_what_to_do() -> None:
    if libcuda.missing() is None:
        pytest.skip("there is a GPU")
    for name in ("tensorrt", "tensorrt-rtx"):
        with pytest.raises(EngineUnavailable, match=r"NVIDIA driver .*; next: install NVIDIA's driver"):
            choose(name)


def test_auto_looks_for_a_plan_before_it_imports_what_runs_plans(tmp_path: Path) -> None:
    assert f"tensorrt: there is no plan in {tmp_path}" in choose("auto", plans=tmp_path).reason
    (tmp_path / "0123-4567.json").write_text("{}")
    assert "there is no plan" not in choose("auto", plans=tmp_path).reason


def test_what_failed_once_is_not_tried_again() -> None:
    if libcuda.missing() is None:
        pytest.skip("there is a GPU")
    refusals = []
    for _ in range(2):
        with pytest.raises(EngineUnavailable) as refused:
            choose("tensorrt")
        refusals.append((str(refused.value), _found.cache_info().misses))
    assert refusals[0] == refusals[1]


def test_a_station_may_name_every_backend() -> None:
    assert set(get_args(get_type_hints(InferSettings)["backend"])) == {"auto", *BACKENDS}


def test_an_openvino_without_the_call_that_is_taken_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "openvino.py").write_text("__version__ = '2099.1'\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from engines.load import choose; choose('openvino')"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "EngineUnavailable: openvino cannot be imported (" in ended.stderr
