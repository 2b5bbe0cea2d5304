"""The TensorRT backend from a plan to its answers, in a stream of the host's; the library is a stand-in."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from engines.backends.tensorrt import Installed, TensorRtEngine, missing
from engines.build import Progress, build_plan
from engines.devices import libcuda
from engines.errors import EngineRefused, EngineUnavailable
from engines.plan import Profile
from tests.graphics_box import HERE, GraphicsBox
from tests.host_driver import HostMemory
from tests.tensorrt_stand_in import BuilderFlag

pytestmark = pytest.mark.needs_debian("g++", program="g++")

MOST = 8
PROFILE = Profile(1, MOST)


def network() -> bytes:
    """mean = the mean level of an image; place = image's number plus one; as the line's networks take and give them."""
    inputs = [
        helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 4, 4, 1]),
        helper.make_tensor_value_info("number", TensorProto.INT64, ["N"]),
    ]
    outputs = [
        helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["N", 1, 1, 1]),
        helper.make_tensor_value_info("place", TensorProto.INT64, ["N"]),
    ]
    nodes = [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["levels", "axes"], ["mean"]),
        helper.make_node("Add", ["number", "one"], ["place"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
    ]
    graph = helper.make_graph(nodes, "test", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


@pytest.fixture
def box(tmp_path: Path) -> GraphicsBox:
    return GraphicsBox(tmp_path / "plans")


@pytest.fixture
def engine(box: GraphicsBox) -> TensorRtEngine:
    box.build(network(), PROFILE)
    return box.load(network())


def pictures(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 1), np.uint8)


def out_of_memory(_count: int) -> HostMemory:
    raise EngineRefused("the GPU failed: out of memory")


def check(engine: TensorRtEngine, images: NDArray[np.uint8], given: object, first: int = 0) -> None:
    numbers = np.arange(first, first + len(images))
    answers = engine.run({"image": given, "number": numbers})
    assert np.allclose(answers["mean"][:, 0, 0, 0], images.mean(axis=(1, 2, 3)), atol=1e-3)
    assert np.array_equal(answers["place"], numbers + 1)


def test_arrays_of_every_batch_size_are_run(engine: TensorRtEngine, box: GraphicsBox) -> None:
    engine.warm_up(3)
    for seed, count in enumerate([1, 3, 2, 5, 8, 7, 3, 4, 1, 8]):
        images = pictures(count, seed)
        check(engine, images, images, first=seed)
    assert box.library.context_count == 5  # 3 as warmed up, and 1, 2, 4, 8


def test_a_batch_that_was_not_announced_needs_no_new_memory(
    engine: TensorRtEngine, box: GraphicsBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.warm_up(3)
    assert box.driver.done.count("execute_async_v3") == 5  # every size that is kept has had its first run
    monkeypatch.setattr(box.driver, "allocate", None)
    monkeypatch.setattr(box.driver, "pinned", None)
    for count in range(1, MOST + 1):
        images = pictures(count, count)
        check(engine, images, images)
    assert box.library.context_count == 5


@pytest.mark.parametrize("left", range(3))
def test_a_gpu_whose_memory_is_full_says_nothing_against_the_network(box: GraphicsBox, left: int) -> None:
    box.build(network(), PROFILE)
    device, allocate = box.device, box.driver.allocate
    counts = iter(range(left))

    def full(count: int) -> HostMemory:
        return out_of_memory(count) if next(counts, None) is None else allocate(count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device.driver, "allocate", full)
        with pytest.raises(EngineUnavailable, match="out of memory"):
            box.load(network())


def test_nor_does_memory_that_is_full_for_a_batch_that_is_announced_later(
    engine: TensorRtEngine, box: GraphicsBox
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(box.driver, "allocate", out_of_memory)
        with pytest.raises(EngineUnavailable, match="out of memory"):
            engine.warm_up(3)
        engine.warm_up(4)  # kept from the start: it has its memory
    engine.warm_up(3)
    check(engine, pictures(3), pictures(3))


def test_more_rows_than_the_plan_takes_are_run_in_pieces(engine: TensorRtEngine) -> None:
    for count in (9, 16, 21, 9):
        images = pictures(count, count)
        check(engine, images, images)


def test_images_that_were_made_on_the_device_stay_there(engine: TensorRtEngine, box: GraphicsBox) -> None:
    engine.warm_up(2)
    large, small = box.device.empty(64, 64), box.device.empty(2, 4, 4)
    for seed in range(5):
        frames = np.random.default_rng(seed).integers(0, 256, (2, 16, 16), np.uint8)
        for number, frame in enumerate(frames):
            box.device.resize(box.device.upload(frame), small[number])
        before = len(box.driver.done)
        halves = frames.reshape(2, 8, 2, 8, 2).astype(int).sum(axis=(2, 4)) + 2 >> 2
        expected = halves.reshape(2, 4, 2, 4, 2).sum(axis=(2, 4)) + 2 >> 2
        check(engine, expected.astype(np.uint8)[..., None], small.reshape(2, 4, 4, 1), first=seed)
        # One copy of records up, one of the numbers; one answer down.
        assert sorted(box.driver.done[before:]) == sorted(
            ["put_rows", "put_rows", "put", "halve", "halve", "put", "execute_async_v3", "fetch"]
        )
    assert box.driver.captures == 1
    assert large.shape == (64, 64)


def test_a_few_images_of_the_device_run_as_the_next_larger_batch(engine: TensorRtEngine, box: GraphicsBox) -> None:
    levels = pictures(3)
    images = box.device.empty(3, 4, 4, 1)
    box.device.resize(box.device.upload(levels.reshape(12, 4)), images.reshape(12, 4))
    check(engine, levels, images)
    box.driver.wait()  # looks at the guards: nothing was read or written beyond the three


def test_a_second_run_needs_no_new_memory(
    engine: TensorRtEngine, box: GraphicsBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.warm_up(2)
    images = pictures(2)
    first = engine.run({"image": images, "number": np.arange(2)})
    monkeypatch.setattr(box.driver, "allocate", None)
    monkeypatch.setattr(box.driver, "pinned", None)
    assert engine.run({"image": images, "number": np.arange(2)}) is first


@pytest.mark.parametrize(
    "inputs",
    [
        {"image": pictures(2)},
        {"image": pictures(2), "number": np.arange(3)},
        {"image": pictures(2).astype(np.float32), "number": np.arange(2)},
        {"image": pictures(2)[:, :3], "number": np.arange(2)},
        {"image": pictures(0), "number": np.arange(0)},
    ],
    ids=["name", "batch", "dtype", "shape", "none"],
)
def test_other_inputs_are_refused(engine: TensorRtEngine, inputs: dict[str, NDArray[np.generic]]) -> None:
    with pytest.raises(EngineRefused, match="the network takes"):
        engine.run(inputs)


def test_what_it_tells_is_of_the_network(engine: TensorRtEngine, box: GraphicsBox) -> None:
    assert [str(tensor) for tensor in engine.spec.inputs] == ["image uint8 (N, 4, 4, 1)", "number int64 (N,)"]
    assert engine.backend == "tensorrt 11.4.0"
    assert engine.device is box.device
    engine.close()
    engine.close()
    with pytest.raises(EngineRefused, match="closed"):
        engine.run({})


def test_without_a_plan_it_says_what_makes_one(box: GraphicsBox) -> None:
    with pytest.raises(EngineUnavailable, match="no plan of TensorRT for it; next: datumd build RECIPE --precision "):
        box.load(network())


def test_a_plan_of_another_driver_is_not_used(box: GraphicsBox) -> None:
    box.build(network(), PROFILE)
    box.found = Installed(box.library, replace(HERE, driver="590.1"))
    with pytest.raises(EngineUnavailable, match=r"driver 580\.65\.06 where this is 590\.1"):
        box.load(network())


def test_a_plan_that_the_library_refuses_is_one_line(box: GraphicsBox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.tensorrt_stand_in.HEAD", b"plan of another 1.")
    box.build(network(), PROFILE)
    monkeypatch.undo()
    with pytest.raises(EngineUnavailable, match=r"does not accept its plan .*; next: datumd build RECIPE"):
        box.load(network())  # as without a plan: who may run it elsewhere does


def test_a_plan_is_built_once_and_says_how_far_it_is(box: GraphicsBox) -> None:
    assert box.build(network(), PROFILE)
    assert box.told[0] == Progress("Building", 0, 2)
    assert box.told[-1].done == 2
    (config,) = box.library.built
    assert config.cleared == [BuilderFlag.TF32]
    assert config.max_aux_streams == 0
    assert config.profiles == [
        {"image": ((1, 4, 4, 1), (1, 4, 4, 1), (MOST, 4, 4, 1)), "number": ((1,), (1,), (MOST,))}
    ]
    assert not box.build(network(), PROFILE)
    assert len(box.library.built) == 1
    assert box.build(network(), Profile(1, 16))


def test_ctrl_c_ends_a_build_between_two_steps_and_leaves_nothing(box: GraphicsBox) -> None:
    def told(_: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)  # as a terminal does, while the library runs

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        build_plan(network(), PROFILE, "fp32", box.plans, told, box.found)
    assert signal.getsignal(signal.SIGINT) is before
    assert not box.plans.exists()
    with pytest.raises(EngineUnavailable):
        box.load(network())


def test_a_network_that_cannot_be_parsed_is_named_by_its_operator(box: GraphicsBox) -> None:
    model = onnx.load_from_string(network())
    model.graph.node[2].name = "Unheard"
    with pytest.raises(EngineRefused, match="Unheard: no importer is registered for fault 0"):
        box.build(model.SerializeToString(), PROFILE)
    assert not box.plans.exists()


@pytest.mark.skipif(libcuda.missing() is None, reason="there is a GPU here")
def test_on_a_machine_without_a_gpu_it_says_so() -> None:
    assert "NVIDIA driver" in str(missing())
    with pytest.raises(EngineUnavailable, match="NVIDIA driver"):
        TensorRtEngine(network(), threads=1)
