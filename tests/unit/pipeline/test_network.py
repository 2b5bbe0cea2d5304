"""Networks are refused where they do not fit their place."""

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pipeline.errors import EngineError, NetworkError
from pipeline.network import CoarseCard, RefineCard, load_network, write_card
from tests.networks import write_coarse, write_refine
from tests.recipes import DOTS, KEYPOINTS, LARGE_WH, SMALL_WH

COARSE = CoarseCard(keypoints=KEYPOINTS, large_wh=LARGE_WH, small_wh=SMALL_WH)
REFINE = RefineCard(keypoints=KEYPOINTS, large_wh=LARGE_WH, patch=16, spans_px=[64.0, 32.0])


@pytest.fixture
def coarse(tmp_path: Path) -> Path:
    path = tmp_path / "coarse.onnx"
    write_coarse(path, COARSE, DOTS * SMALL_WH, visible=[1.0] * 4)
    return path


def changed(path: Path, metadata: str | None) -> Path:
    model = onnx.load(str(path))
    helper.set_model_props(model, {} if metadata is None else {"datumd": metadata})
    onnx.save(model, str(path))
    return path


def test_a_network_that_fits_is_loaded_with_its_card(coarse: Path, tmp_path: Path) -> None:
    assert load_network(coarse, CoarseCard).card == COARSE
    write_refine(tmp_path / "refine.onnx", REFINE)
    assert load_network(tmp_path / "refine.onnx", RefineCard).card == REFINE


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "has no metadata 'datumd', so it cannot be decoded"),
        ("{", "metadata 'datumd' of a coarse network: Input data was truncated"),
        (write_card(REFINE), "metadata 'datumd' of a coarse network: Invalid value 'refine'"),
        (write_card(COARSE).replace("[64,64]", "[65,64]"), "is not small_wh (65, 64) times a power of two"),
        (write_card(COARSE).replace("[256,256]", "[192,192]"), "is not small_wh (64, 64) times a power of two"),
        (write_card(COARSE).replace('"a",', ""), "output is xy float32 (N, 4, 2); allowed: xy float32 (N, 3, 2)"),
        (
            write_card(COARSE).replace("[64,64]", "[32,32]"),
            "input is image uint8 (N, 64, 64, 1); allowed: image uint8 (N, 32, 32, 1)",
        ),
    ],
)
def test_a_card_that_is_missing_or_wrong_is_named(coarse: Path, metadata: str | None, message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        load_network(changed(coarse, metadata), CoarseCard)
    assert str(caught.value).startswith(f"{coarse}: ")
    assert message in str(caught.value)


def refine_card(tmp_path: Path, text: str) -> RefineCard:
    write_refine(tmp_path / "refine.onnx", REFINE)
    return load_network(changed(tmp_path / "refine.onnx", text), RefineCard).card


def test_a_refine_network_without_a_pose_sees_upright_patches(tmp_path: Path) -> None:
    before_poses = (
        '{"role":"refine","keypoints":["a","b","c","d"],"large_wh":[256,256],"has_sigma":false,"patch":16,'
        '"spans_px":[64.0,32.0]}'
    )
    assert refine_card(tmp_path, before_poses).pose is None
    pose = [(-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)]
    assert refine_card(tmp_path, write_card(msgspec.structs.replace(REFINE, pose=pose))).pose == pose


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        ("[[1,2]]", "pose has 1 points for 4 keypoints"),
        ("[[1e300,0],[0,0],[0,0],[0,0]]", "Expected `float` <= 1000000"),
    ],
)
def test_a_pose_that_cannot_be_is_named(tmp_path: Path, pose: str, message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        refine_card(tmp_path, write_card(REFINE).replace('"pose":null', f'"pose":{pose}'))
    assert message in str(caught.value)


def test_tensors_of_other_names_are_named(tmp_path: Path) -> None:
    path = tmp_path / "coarse.onnx"
    image = helper.make_tensor_value_info("picture", TensorProto.UINT8, ["N", 64, 64, 1])
    xy = helper.make_tensor_value_info("xy", TensorProto.UINT8, ["N", 64, 64, 1])
    graph = helper.make_graph([helper.make_node("Identity", ["picture"], ["xy"])], "test", [image], [xy])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, str(path))
    with pytest.raises(NetworkError, match="has no input 'image', it has picture; allowed: image uint8"):
        load_network(changed(path, write_card(COARSE)), CoarseCard)


def test_a_file_that_is_no_network_and_a_missing_backend(coarse: Path, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_bytes(np.arange(99, dtype=np.uint8).tobytes())
    with pytest.raises(NetworkError, match=r"text.onnx: is no network that ONNX Runtime accepts"):
        load_network(tmp_path / "text.onnx", CoarseCard)
    with pytest.raises(NetworkError, match="No such file"):
        load_network(tmp_path / "missing.onnx", CoarseCard)
    with pytest.raises(EngineError, match="there is no backend 'abacus'"):
        load_network(coarse, CoarseCard, backend="abacus")
