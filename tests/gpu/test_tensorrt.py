"""Plans on a real GPU: the example's networks beside ONNX Runtime, and whole inspections beside the processor's."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.bare import VIEW, bracket_frames
from engines.backends.tensorrt import TensorRtEngine
from engines.devices.cuda import CudaDevice
from engines.load import load_engine
from pipeline.cli import main
from pipeline.inspector import Inspector
from pipeline.plans import profiles
from pipeline.qualify import qualify
from pipeline.recipe import load_recipe
from pipeline.result import KeypointState
from simulator.demo import RECIPES

pytestmark = [pytest.mark.gpu("tensorrt"), pytest.mark.time_limit_s(1800)]  # a plan takes minutes
BRACKET = RECIPES / "bracket"
NETWORKS = sorted(path.name for path in profiles(load_recipe(BRACKET, sealed=False).views[VIEW]))


def loaded(name: str, plans: Path) -> TensorRtEngine:
    engine = load_engine(BRACKET / VIEW / name, backend="tensorrt", plans=plans)
    assert isinstance(engine, TensorRtEngine)
    return engine


@pytest.mark.parametrize("name", NETWORKS)
def test_a_plan_answers_as_onnxruntime_does(name: str, plans: Path) -> None:
    engine, other = loaded(name, plans), load_engine(BRACKET / VIEW / name, backend="onnxruntime")
    rng = np.random.default_rng(0)
    for rows in (1, 2, 3, 1, 14, 14, 14, 40, 3):
        inputs = {
            tensor.name: rng.integers(0, 256 if tensor.dtype == np.uint8 else 2, tensor.sized(rows)).astype(
                tensor.dtype
            )
            for tensor in engine.spec.inputs
        }
        found, expected = engine.run(inputs), other.run(inputs)
        for output in engine.spec.outputs:
            assert np.abs(found[output.name] - expected[output.name]).max() < 0.05


def test_the_memory_of_answers_is_not_touched_by_another_size(plans: Path) -> None:
    engine = loaded("coarse.onnx", plans)
    (image,) = engine.spec.inputs
    one = engine.run({image.name: np.full(image.sized(1), 90, np.uint8)})["xy"]
    kept = one.copy()
    engine.run({image.name: np.zeros(image.sized(2), np.uint8)})
    assert np.array_equal(one, kept)


def test_the_example_lies_where_it_does_on_the_processor(plans: Path, device: CudaDevice) -> None:
    recipe = load_recipe(BRACKET)
    gpu = Inspector.load(recipe, backend="tensorrt", plans=plans)
    cpu = Inspector.load(recipe, backend="onnxruntime")
    assert gpu.backend.startswith("tensorrt ")
    assert gpu.devices == [device]
    assert qualify(recipe, gpu).max_px <= recipe.limit_px
    apart = []
    for frame in bracket_frames():
        for here, there in zip(gpu.inspect(VIEW, frame), cpu.inspect(VIEW, frame), strict=True):
            assert (here.region, here.image_reasons) == (there.region, there.image_reasons)
            for this, that in zip(here.keypoints, there.keypoints, strict=True):
                if that.state is KeypointState.visible and this.x is not None and that.x is not None:
                    apart.append(np.hypot(this.x - that.x, (this.y or 0.0) - (that.y or 0.0)))
    assert len(apart) > 100
    assert np.percentile(apart, 99) <= 0.02


def test_auto_takes_the_gpu_where_there_are_plans_and_else_the_processor(plans: Path, tmp_path: Path) -> None:
    recipe = load_recipe(BRACKET)
    assert Inspector.load(recipe, plans=plans).backend.startswith("tensorrt ")
    assert not Inspector.load(recipe, plans=tmp_path).backend.startswith("tensorrt ")


def test_datumd_build_makes_what_is_not_there(plans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(BRACKET), "--plans", str(plans)]) == 0
    assert capsys.readouterr().out.count("was there") == len(NETWORKS)
