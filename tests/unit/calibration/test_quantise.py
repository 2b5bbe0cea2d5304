"""The example recipe in 16 and 8 bits: what is written, and where its keypoints then lie."""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from calibration import fp16, int8, onnx_graph, quantise_command
from calibration.lowering import Layer, Moved, Search
from calibration.quantise import _asked, _refuse_unasked, quantise
from calibration.trial import load_trial
from engines.engine import Tensors
from pipeline.errors import ConfigError, RecipeError
from pipeline.inspector import Inspector
from pipeline.network import CoarseCard, PosedCard, RefineCard, load_network
from pipeline.parity import Differences, cases, find
from pipeline.precision import DerivedNote, ParityPx, Precision, derived_path, precision_file, read_note, write_derived
from pipeline.qualify import qualify
from pipeline.recipe import Recipe, load_recipe
from pipeline.sealing import seal
from simulator.render import PartRenderer, frame_seed
from tests.float64 import float64_inspector
from tests.recipes import make_recipe

BRACKET = Path(__file__).parents[3] / "examples" / "bracket"
IMAGES, HELD_OUT = 10, 14
ROLES: dict[str, Any] = {"coarse": CoarseCard, "posed": PosedCard, "refine": RefineCard}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Rendered brackets, the last HELD_OUT of which give no ranges."""
    folder = tmp_path_factory.mktemp("pictures")
    renderer = PartRenderer("bracket")
    paths = [folder / f"{index:03}.png" for index in range(IMAGES + HELD_OUT)]
    for index, path in enumerate(paths):
        cv2.imwrite(str(path), renderer.render(frame_seed(8_121, index)).image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return paths


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, pictures: list[Path]) -> Recipe:
    """The example, its network of patches lowered in four of its layers, the others in one each.

    What `datumd quantise` would find takes a search of a minute; `test_a_search_...` below are about that.
    """
    folder = tmp_path_factory.mktemp("recipes") / "bracket"
    shutil.copytree(BRACKET, folder)
    sealed = seal(folder, {}, keep=1, backend="onnxruntime").recipe
    asked: dict[Path, list[Tensors]] = {}
    inspector = load_trial(sealed, "top", {}, asked)
    for case in cases({"top": pictures[:IMAGES]}, load_trial(sealed, "top", {})):
        find(inspector, "top", case.frame)
    for network in networks(sealed):
        model = onnx_graph.read(network)
        kept = kept_of(network)
        derive(folder, network, "fp16", fp16.to_fp16(model, kept))
        ranges = int8.Histograms(model, asked[network]).least_squares()
        derive(folder, network, "int8", int8.to_int8(model, ranges, kept))
    return load_recipe(folder)


def kept_of(network: Path) -> list[str]:
    layers = list(onnx_graph.layers(onnx_graph.read(network)))
    lowered = layers[5:9] if network.stem == "refine" else layers[11:12]
    return [layer for layer in layers if layer not in lowered]


def derive(folder: Path, network: Path, precision: str, content: bytes) -> None:
    note = DerivedNote(
        format=1,
        precision="int8" if precision == "int8" else "fp16",
        source_sha256=hashlib.sha256(network.read_bytes()).hexdigest(),
        sha256=hashlib.sha256(content).hexdigest(),
        images_sha256="0" * 64,
        images=IMAGES,
        layers=len(onnx_graph.layers(onnx_graph.read(network))),
        kept=kept_of(network),
        parity_px=ParityPx(0.0, 0.0, 0.0),
        versions={},
    )
    write_derived(derived_path(folder, network, note.precision), content, note)


def networks(recipe: Recipe) -> list[Path]:
    view = recipe.views["top"]
    return [path for path in (view.coarse, view.posed, view.refine) if path is not None]


def quantised_inputs(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    weights = {tensor.name for tensor in model.graph.initializer}
    return [node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] not in weights]


@pytest.mark.parametrize(("precision", "allowed_px"), [("int8", 0.25), ("fp16", 0.1)])
def test_keypoints_stay_where_float64_has_them(
    recipe: Recipe, pictures: list[Path], precision: Precision, allowed_px: float
) -> None:
    exact = cases({"top": pictures[IMAGES:]}, float64_inspector(recipe, "top"))
    inspector = Inspector.load(recipe, backend="onnxruntime", precision=precision)
    found = Differences()
    for case in exact:
        found.add(case.expected, find(inspector, "top", case.frame)[0])
    assert not found.unlike
    assert len(found.px) > 5 * HELD_OUT
    assert 0 < found.parity_px().p99 <= allowed_px
    qualify(recipe, inspector)


def test_every_weight_of_an_int8_layer_is_signed_symmetric_and_per_channel(recipe: Recipe) -> None:
    lowered = 0
    for network in networks(recipe):
        model = onnx.load(derived_path(recipe.folder, network, "int8"))
        kept = read_note(derived_path(recipe.folder, network, "int8")).kept
        tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        made_by = {name: node for node in model.graph.node for name in node.output}
        for layer in (node for node in model.graph.node if node.op_type == "Conv"):
            assert tensors[layer.input[2]].dtype == np.float32  # the bias
            if layer.name in kept:
                assert tensors[layer.input[1]].dtype == np.float32
                continue
            lowered += 1
            weight, scale, zero = (tensors[name] for name in made_by[layer.input[1]].input)
            (axis,) = (attribute.i for attribute in made_by[layer.input[1]].attribute if attribute.name == "axis")
            assert weight.dtype == zero.dtype == np.int8
            assert (axis, len(scale), len(zero)) == (0, len(weight), len(weight))
            assert not zero.any()
            assert weight.min() >= -127
            dequantise = made_by[layer.input[0]]
            assert dequantise.op_type == "DequantizeLinear"
            assert made_by[dequantise.input[0]].op_type == "QuantizeLinear"
        for node in quantised_inputs(model):
            assert tensors[node.input[1]].shape == ()
            assert (tensors[node.input[2]].dtype, int(tensors[node.input[2]])) == (np.dtype(np.int8), 0)
    assert lowered > 0


def test_a_16_bit_layer_is_16_bit_inside_and_what_surrounds_it_is_not(recipe: Recipe) -> None:
    lowered = 0
    for network in networks(recipe):
        path = derived_path(recipe.folder, network, "fp16")
        model = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True)
        values = (*model.graph.value_info, *model.graph.input, *model.graph.output)
        types = {value.name: value.type.tensor_type.elem_type for value in values}
        types |= {tensor.name: tensor.data_type for tensor in model.graph.initializer}
        kept = read_note(path).kept
        for node in model.graph.node:
            found = {types[name] for name in (*node.input, *node.output) if name}
            if node.op_type == "Conv":
                lowered += node.name not in kept
                assert found == {TensorProto.FLOAT if node.name in kept else TensorProto.FLOAT16}
            if node.op_type in ("ReduceMean", "Pow", "Sqrt", "Softmax", "ReduceSum", "Gemm", "MatMul", "Exp"):
                assert TensorProto.FLOAT16 not in found
    assert lowered > 0


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_file_takes_and_gives_what_the_sealed_one_does(recipe: Recipe, precision: Precision) -> None:
    for network in networks(recipe):
        role = ROLES[network.stem]
        before = load_network(network, role, backend="onnxruntime")
        after = load_network(precision_file(recipe.folder, network, precision).path, role, backend="onnxruntime")
        assert after.card == before.card
        assert after.engine.spec.metadata == before.engine.spec.metadata
        assert (after.engine.spec.inputs, after.engine.spec.outputs) == (
            before.engine.spec.inputs,
            before.engine.spec.outputs,
        )
        after.warm_up(1)
        after.warm_up(5)


LAYERS: dict[Layer, int] = {(Path("a.onnx"), f"layer{index}"): 10 + index for index in range(9)}
NOISE_PX = dict(zip(LAYERS, (0.01, 0.3, 0.02, 0.03, 0.2, 0.01, 0.05, 0.02, 0.04), strict=True))


def judge(kept: Collection[Layer], *, few: bool = False) -> Moved:  # noqa: ARG001 - as many frames as there are
    """Every layer that is lowered moves keypoints by itself; squares add up."""
    px = sum(NOISE_PX[layer] ** 2 for layer in LAYERS if layer not in kept) ** 0.5
    return Moved(ParityPx(px, px, px), px, share=px / 0.25, reference_share=0.0)


def test_a_search_keeps_what_moves_keypoints_and_no_more() -> None:
    told: list[str] = []
    kept = Search(judge, LAYERS, told.append).kept(0.5)
    assert {name for _, name in kept} == {"layer1", "layer4"}
    assert judge(kept).is_within(0.5)
    assert told[0] == "  0 of 9 layers in fp32: p50 0.369  p99 0.369  max 0.369 px, too far"


def test_a_search_keeps_nothing_where_all_is_borne_and_everything_where_nothing_is() -> None:
    assert Search(judge, LAYERS, list[str]().append).kept(2.0) == []
    assert len(Search(judge, LAYERS, list[str]().append).kept(0.0)) == len(LAYERS)


def test_a_recipe_without_layers_is_written_as_it_is(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top", "side"])
    written = quantise(load_recipe(folder), "int8", {}, list[str]().append)
    assert [one.path.relative_to(folder).as_posix() for one in written] == [
        f"precision/{view}/{name}.int8.onnx" for view in ("top", "side") for name in ("coarse", "refine")
    ]
    assert [(one.note.layers, one.note.kept, one.note.images, one.note.parity_px.max) for one in written] == [
        (0, [], 1, 0.0)
    ] * 4
    assert all(read_note(one.path) == one.note for one in written)
    assert set(written[0].note.versions) == {"datumd", "numpy", "onnx", "onnxruntime"}
    recipe = load_recipe(folder)
    assert qualify(recipe, Inspector.load(recipe, backend="onnxruntime", precision="int8")).max_px == 0.0


_BYTES = """
import hashlib, sys
from pathlib import Path
import numpy as np
from calibration import fp16, int8, onnx_graph
model = onnx_graph.read(Path(sys.argv[1]))
image = np.random.default_rng(0).integers(0, 256, (2, 112, 144, 1), np.uint8)
kept = onnx_graph.layers(model).keys() - list(onnx_graph.layers(model))[3:6]
ranges = int8.Histograms(model, [{"image": image}]).least_squares()
print(hashlib.sha256(int8.to_int8(model, ranges, kept) + fp16.to_fp16(model, kept)).hexdigest())
"""


def test_a_network_that_no_frame_asked_anything_is_named() -> None:
    recipe = load_recipe(BRACKET)
    asked = _asked(recipe, "top", [])
    assert set(asked) == set(networks(recipe))
    with pytest.raises(RecipeError, match=f"for which {networks(recipe)[0].name} is run"):
        _refuse_unasked("top", asked)


def test_the_same_images_give_the_same_bytes(recipe: Recipe) -> None:
    """In another process, too, where sets have another order."""
    command = [sys.executable, "-c", _BYTES, str(recipe.views["top"].coarse)]
    told = [
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True)
        for seed in ("1", "2")
    ]
    assert told[0].stdout == told[1].stdout


def test_layers_are_named_with_their_work(recipe: Recipe) -> None:
    for network in networks(recipe):
        model = onnx_graph.read(network)
        layers = onnx_graph.layers(model)
        assert len(layers) == sum(node.op_type == "Conv" for node in model.graph.node)
        assert all(adds > 0 for adds in layers.values())


def test_the_command_needs_a_sealed_recipe_and_images_that_show_parts(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> int:
        parser = argparse.ArgumentParser()
        quantise_command.add_parser(parser.add_subparsers())
        return quantise_command.run(parser.parse_args(["quantise", str(folder), "--precision", "int8", *arguments]))

    folder, dark = tmp_path / "bracket", tmp_path / "dark"
    shutil.copytree(recipe.folder, folder)
    dark.mkdir()
    cv2.imwrite(str(dark / "a.png"), np.zeros((1024, 1280), np.uint8))
    with pytest.raises(RecipeError, match="none of 1 images shows a part that can be judged"):
        run("--images", str(dark))
    assert "fewer than 24 images of view top" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="--count is 0; allowed: 1 to 1000"):
        run("--count", "0")
    (folder / "recipe.lock").unlink()
    with pytest.raises(RecipeError, match="the recipe is not sealed; next: datumd seal"):
        run()
