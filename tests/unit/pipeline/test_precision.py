"""Networks in other precisions: where they lie, and which of them are not used."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import msgspec
import onnx
import pytest

from benchmarks.dots.networks import write_coarse
from engines.devices import libcuda
from pipeline.config import InferSettings
from pipeline.errors import RecipeError
from pipeline.inspector import Inspector
from pipeline.inspectors import open_inspector, why
from pipeline.network import CoarseCard, load_network
from pipeline.precision import (
    DerivedNote,
    ParityPx,
    PrecisionFile,
    derived_path,
    precision_file,
    read_note,
    write_derived,
)
from pipeline.qualify import qualify
from pipeline.recipe import load_recipe
from tests.recipes import DOTS, SMALL_WH, make_recipe


def derive(folder: Path, **instead: bytes) -> DerivedNote:
    """Write the recipe's networks, or what is given instead of one, as if they were its files in int8; coarse's note."""
    for network in sorted((folder / "top").glob("*.onnx"), reverse=True):  # coarse last
        content = instead.get(network.stem, network.read_bytes())
        note = DerivedNote(
            format=1,
            precision="int8",
            source_sha256=hashlib.sha256(network.read_bytes()).hexdigest(),
            sha256=hashlib.sha256(content).hexdigest(),
            images_sha256="0" * 64,
            images=3,
            layers=2,
            kept=['a "quoted" name', "back\\slash"],
            parity_px=ParityPx(0.01, 0.02, 0.125),
            versions={"datumd": "0.1.0", "onnx": "1.2"},
        )
        write_derived(derived_path(folder, network, "int8"), content, note)
    return note


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_recipe(tmp_path / "part", ["top"])


def test_fp32_is_the_sealed_file(folder: Path) -> None:
    coarse = folder / "top" / "coarse.onnx"
    sha256 = hashlib.sha256(coarse.read_bytes()).hexdigest()
    assert precision_file(folder, coarse, "fp32") == PrecisionFile(coarse, sha256, sha256)


def test_a_note_is_read_as_it_was_written(folder: Path) -> None:
    note = derive(folder)
    path = folder / "precision" / "top" / "coarse.int8.onnx"
    assert derived_path(folder, folder / "top" / "coarse.onnx", "int8") == path
    assert read_note(path) == note
    assert precision_file(folder, folder / "top" / "coarse.onnx", "int8").path == path


def test_the_lock_and_the_recipes_id_do_not_know_of_them(folder: Path) -> None:
    before = load_recipe(folder)
    derive(folder)
    after = load_recipe(folder)
    assert after.configuration_id == before.configuration_id
    inspector = Inspector.load(after, backend="onnxruntime", precision="int8")
    assert inspector.backend.endswith(" int8")
    assert qualify(after, inspector).max_px == 0.0


def test_what_is_not_there_is_named_with_its_command(folder: Path) -> None:
    with pytest.raises(
        RecipeError, match=rf"there is no fp16 file of .*; next: datumd quantise {folder} --precision fp16"
    ):
        Inspector.load(load_recipe(folder), precision="fp16")


def test_a_file_of_another_network_is_not_used(folder: Path) -> None:
    derive(folder)
    network = folder / "top" / "coarse.onnx"
    network.write_bytes(network.read_bytes() + b"\x72\x00")  # an empty metadata entry
    with pytest.raises(
        RecipeError, match=r"was made from another coarse.onnx; next: datumd quantise .* --precision int8"
    ):
        precision_file(folder, network, "int8")


def test_a_file_that_changed_is_not_used(folder: Path) -> None:
    derive(folder)
    path = folder / "precision" / "top" / "coarse.int8.onnx"
    path.write_bytes(path.read_bytes() + b"\x72\x00")
    with pytest.raises(RecipeError, match="was changed since it was made"):
        precision_file(folder, folder / "top" / "coarse.onnx", "int8")


def test_a_file_without_its_note_or_with_that_of_another_precision_is_not_used(folder: Path) -> None:
    note = derive(folder)
    network, place = folder / "top" / "coarse.onnx", folder / "precision" / "top"
    write_derived(place / "coarse.fp16.onnx", network.read_bytes(), note)
    with pytest.raises(RecipeError, match=r"coarse\.fp16\.toml: is of int8"):
        precision_file(folder, network, "fp16")
    (place / "coarse.int8.toml").unlink()
    with pytest.raises(RecipeError, match=r"coarse.int8.toml: cannot be read"):
        precision_file(folder, network, "int8")


def test_a_note_that_says_what_it_may_not_is_refused(folder: Path) -> None:
    note = derive(folder)
    path = folder / "precision" / "top" / "coarse.int8.onnx"
    write_derived(path, b"", msgspec.structs.replace(note, source_sha256="1234"))
    with pytest.raises(RecipeError, match=r"coarse\.int8\.toml: source_sha256"):
        precision_file(folder, folder / "top" / "coarse.onnx", "int8")


def test_keypoints_elsewhere_are_refused_when_the_recipe_is_loaded(tmp_path: Path) -> None:
    recipe = load_recipe(make_recipe(tmp_path / "part", ["top"], refine=False))
    places = DOTS * SMALL_WH - 0.5 + [[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]  # px of the small image, 4 each
    card = load_network(recipe.views["top"].coarse, CoarseCard, backend="onnxruntime").card
    write_coarse(tmp_path / "other.onnx", card, places, visible=(8.0,) * 4)
    derive(recipe.folder, coarse=(tmp_path / "other.onnx").read_bytes())
    inspector = Inspector.load(recipe, backend="onnxruntime", precision="int8")
    with pytest.raises(RecipeError, match=r"shows a 4.000 px from its place on onnxruntime .* int8; .*datumd quantise"):
        qualify(recipe, inspector)


@pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed; next: pip install '.[openvino]'")
@pytest.mark.skipif(libcuda.missing() is None, reason="there is a GPU here, which may be taken instead")
def test_every_library_that_runs_a_network_is_named_and_why(folder: Path) -> None:
    refine = onnx.load(folder / "top" / "refine.onnx")
    refine.graph.initializer.append(onnx.helper.make_tensor("one", onnx.TensorProto.FLOAT, [], [1.0]))
    refine.graph.node.append(onnx.helper.make_node("QuantizeLinear", ["one", "one"], ["unused"]))
    derive(folder, refine=refine.SerializeToString())
    infer = InferSettings(precision="int8")
    inspector = open_inspector(infer, load_recipe(folder))
    libraries = [name.split()[0] for name in inspector.backends]
    assert libraries == ["onnxruntime", "openvino"]  # the first network has no layer in int8
    assert inspector.backend == f"{' and '.join(inspector.backends)} int8"
    reason = why(infer, inspector.backends)
    assert reason.startswith("auto: the best here in int8")
    assert reason.endswith("a network without a layer in int8 runs as in fp32")
    assert "plan is missing" not in reason


def test_no_view_has_the_name_of_their_folder(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"view.precision: is no name for a view"):
        make_recipe(tmp_path / "part", ["precision"])
