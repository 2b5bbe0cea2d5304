"""From a name to a backend."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from engines.errors import EngineRefused, EngineUnavailable
from engines.load import BACKENDS, BEST_FIRST, LARGEST_BYTES, choose, load_engine
from tests.unit.engines.networks import write_network


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


def test_auto_is_the_first_that_is_present_and_says_why_not_the_others(tmp_path: Path) -> None:
    chosen = choose("auto")
    for better in BEST_FIRST[: BEST_FIRST.index(chosen.backend)]:
        with pytest.raises(EngineUnavailable) as refusal:
            choose(better)
        assert f"{better}: {refusal.value.what}" in chosen.reason
    engine = load_engine(write_network(tmp_path / "net.onnx", ["N", 3]))
    assert engine.backend.startswith(f"{chosen.backend} ")
    assert str(chosen).startswith(f"{chosen.backend} (auto")


def test_a_backend_by_name_is_that_one_or_says_how_to_install_it() -> None:
    assert str(choose("onnxruntime")) == "onnxruntime (as configured)"
    if find_spec("openvino") is None:
        with pytest.raises(EngineUnavailable, match=r"pip install 'datumd\[openvino\]'"):
            choose("openvino")
    else:
        assert choose("openvino").backend == "openvino"
