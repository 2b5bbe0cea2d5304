"""A view with all that it may have: second network, shape, sigmas; and what is wrong with such files."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from pipeline.errors import NetworkError, RecipeError
from pipeline.inspector import Inspector
from pipeline.network import CoarseCard, PosedCard, RefineCard
from pipeline.pixels import mono8_frame
from pipeline.recipe import load_recipe
from pipeline.result import KeypointState
from pipeline.shape import ShapeModel, write_shape
from pipeline.sigma import SigmaScale, write_sigma
from tests.networks import write_coarse, write_posed, write_refine
from tests.recipes import DOTS, KEYPOINTS, LARGE_WH, SMALL_WH, dots_sensor_px, frame_with_part, make_recipe

POSE = [(23.5, 23.5), (71.5, 23.5), (23.5, 71.5), (71.5, 71.5)]
SIDE = float(np.sqrt(0.5))
SQUARE = ShapeModel(KEYPOINTS, [(-SIDE, -SIDE), (SIDE, -SIDE), (-SIDE, SIDE), (SIDE, SIDE)], [], [], [0.005] * 4)
SHIFT = (3.4, -7.3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    recipe = make_recipe(tmp_path / "part", ["top"], sealed=False)
    view = recipe / "top"
    coarse = CoarseCard(keypoints=KEYPOINTS, large_wh=LARGE_WH, small_wh=SMALL_WH, has_sigma=True)
    write_coarse(view / "coarse.onnx", coarse, DOTS * SMALL_WH - 0.5, visible=[8.0] * 4)
    posed = PosedCard(keypoints=KEYPOINTS, large_wh=LARGE_WH, image_wh=(96, 96), pose_px=POSE, has_sigma=True)
    write_posed(view / "posed.onnx", posed, visible=[1.0] * 4)
    spans_px = [64.0, 32.0]
    refine = RefineCard(keypoints=KEYPOINTS, large_wh=LARGE_WH, patch=16, spans_px=spans_px, has_sigma=True)
    write_refine(view / "refine.onnx", refine)
    write_shape(view / "shape.json", SQUARE)
    write_sigma(view / "sigma.toml", SigmaScale(scale=0.1))
    return recipe


def inspector(folder: Path) -> Inspector:
    return Inspector.load(load_recipe(folder, sealed=False))


def test_a_view_with_everything_finds_its_keypoints_and_tells_sigma(folder: Path) -> None:
    (found,) = inspector(folder).inspect("top", mono8_frame(frame_with_part(shift_px=SHIFT)))
    xy = np.array([[point.x, point.y] for point in found.keypoints])
    assert np.abs(xy - dots_sensor_px(shift_px=SHIFT)).max() < 0.1
    rms_px = np.sqrt((3.0**2 + 4.0**2) / 2) * 32 / 16
    assert [point.sigma_px for point in found.keypoints] == pytest.approx([0.1 * rms_px] * 4)


def test_without_a_calibration_no_sigma_is_told(folder: Path) -> None:
    (folder / "top" / "sigma.toml").unlink()
    (found,) = inspector(folder).inspect("top", mono8_frame(frame_with_part()))
    assert [point.sigma_px for point in found.keypoints] == [None] * 4
    assert found.keypoints[0].state is KeypointState.visible


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("network", "output"),
    [("posed", "xy"), ("posed", "visibility"), ("posed", "sigma"), ("coarse", "sigma"), ("refine", "sigma")],
)
def test_a_number_that_is_not_finite_is_told_and_nothing_fails(
    folder: Path, network: str, output: str, value: float
) -> None:
    path = folder / "top" / f"{network}.onnx"
    model = onnx.load(str(path))
    next(node for node in model.graph.node if node.output[0] == output).output[0] = "fine"
    model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), "spoilt"))
    model.graph.node.append(helper.make_node("Add", ["fine", "spoilt"], [output]))
    onnx.save(model, str(path))
    (found,) = inspector(folder).inspect("top", mono8_frame(frame_with_part()))
    assert [reason.code for reason in found.image_reasons] == ["network_not_finite"]
    assert found.keypoints == ()


def test_a_second_network_of_other_keypoints_or_another_large_image_is_refused(folder: Path) -> None:
    path = folder / "top" / "posed.onnx"
    card = PosedCard(keypoints=KEYPOINTS, large_wh=(128, 128), image_wh=(96, 96), pose_px=POSE)
    write_posed(path, card, visible=[1.0] * 4)
    with pytest.raises(NetworkError, match=r"posed.onnx: is for large images of \(128, 128\); allowed: \(256, 256\)"):
        inspector(folder)
    card = PosedCard(keypoints=["d", "c", "b", "a"], large_wh=LARGE_WH, image_wh=(96, 96), pose_px=POSE)
    write_posed(path, card, visible=[1.0] * 4)
    with pytest.raises(NetworkError, match=r"posed.onnx: finds the keypoints d, c, b, a; allowed: a, b, c, d"):
        inspector(folder)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("shape.json", "{", "is no shape model"),
        ("shape.json", "[]", "is no shape model"),
        (
            "shape.json",
            '{"keypoints": ["a"], "mean": [[0, 0]], "modes": [], "deviations": [], "noise": [0]}',
            "is of a;",
        ),
        ("sigma.toml", "scale = 0.0", "scale: found 0.0"),
        ("sigma.toml", "factors = [1.0]", "factors: 1 numbers; allowed: 4, one a keypoint"),
    ],
)
def test_a_broken_file_of_a_view_refuses_the_recipe(folder: Path, name: str, text: str, message: str) -> None:
    (folder / "top" / name).write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(folder, sealed=False)
    assert str(caught.value).startswith(f"{folder / 'top' / name}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["posed.onnx", "shape.json", "sigma.toml"])
def test_every_file_of_a_view_is_sealed(tmp_path: Path, folder: Path, name: str) -> None:
    recipe = make_recipe(tmp_path / "sealed", ["top"])
    (recipe / "top" / name).write_bytes((folder / "top" / name).read_bytes())
    with pytest.raises(RecipeError, match=f"top/{name}: was added since the recipe was sealed; next: datumd seal"):
        load_recipe(recipe)
