"""Whole inspections of drawn parts, through networks that find bright dots."""

import dataclasses
import pickle
from pathlib import Path

import cv2
import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.cli import main
from pipeline.errors import NetworkError, RecipeError
from pipeline.inspector import Inspector
from pipeline.pixels import mono8_frame
from pipeline.recipe import load_recipe
from pipeline.result import Evaluation, KeypointState, ResultState
from pipeline.shape import ShapeModel, write_shape
from pipeline.stages.values import ViewFindings
from tests.recipes import KEYPOINTS, dots_sensor_px, draw_part, frame_with_part, make_recipe

WIDTH = '[measure]\nwidth = { distance = ["a", "b"], nominal = 12.8, tolerance = 0.01 }\n'


def loaded(folder: Path, **options: object) -> Inspector:
    return Inspector.load(load_recipe(make_recipe(folder / "part", ["top"], **options)))  # type: ignore[arg-type]  # options by name


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.4, -7.3), (-11.75, 20.2)])
@pytest.mark.parametrize("region", [(0, 0, 256, 256), (70, 31, 512, 512), (12, 5, 300, 300)])
def test_keypoints_are_found_where_they_are_in_the_frame(
    tmp_path: Path, shift: tuple[float, float], region: tuple[int, int, int, int]
) -> None:
    inspector = loaded(tmp_path, region=region)
    (found,) = inspector.inspect("top", mono8_frame(frame_with_part(region, shift)))
    xy = np.array([[point.x, point.y] for point in found.keypoints])
    assert np.abs(xy - dots_sensor_px(region, shift)).max() < 0.1
    assert [point.name for point in found.keypoints] == KEYPOINTS


def test_refinement_adds_what_the_small_image_cannot_show(tmp_path: Path) -> None:
    region, shift = (0, 0, 512, 512), (5.3, 9.1)
    errors = {}
    for refine in (False, True):
        inspector = loaded(tmp_path / str(refine), region=region, refine=refine)
        frame = frame_with_part(region, shift)
        frame[280:300, 240:260] = 60  # draws the centre of light away from the middle
        (found,) = inspector.inspect("top", mono8_frame(frame))
        xy = np.array([[point.x, point.y] for point in found.keypoints])
        errors[refine] = np.abs(xy - dots_sensor_px(region, shift)).max()
    assert errors[True] < 0.1 < errors[False]


def test_a_part_is_decided_with_its_measurements(tmp_path: Path) -> None:
    rest = f"scale_mm_per_px = 0.1\nmust_be_present = {KEYPOINTS}\n{WIDTH}"
    inspector = loaded(tmp_path, rest=rest)
    (found,) = inspector.inspect("top", mono8_frame(frame_with_part(shift_px=(2.5, 1.5))))
    decision = inspector.decide({"top": found})
    assert (decision.result_state, decision.evaluation, decision.reasons) == (ResultState.COMPLETED, Evaluation.OK, ())
    assert decision.measurements[0].value == pytest.approx(12.8, abs=0.005)
    stages = {"locate", "preprocess", "image", "coarse", "refine", "visibility", "measure", "verdict"}
    assert decision.stages_ns.keys() == stages
    assert all(ns >= 0 for ns in decision.stages_ns.values())


def test_an_absent_keypoint_is_hidden_and_has_no_place(tmp_path: Path) -> None:
    inspector = loaded(tmp_path, logits=(8.0, -8.0, 8.0, 8.0), rest=WIDTH)
    (found,) = inspector.inspect("top", mono8_frame(frame_with_part()))
    assert [point.state for point in found.keypoints].count(KeypointState.hidden) == 1
    assert (found.keypoints[1].x, found.keypoints[1].y) == (None, None)
    decision = inspector.decide({"top": found})
    assert decision.evaluation is Evaluation.NOT_DECIDABLE
    assert [(reason.code, reason.name) for reason in decision.reasons] == [("hidden", "b")]


def test_a_keypoint_that_only_its_patch_shows_to_be_absent_is_hidden(tmp_path: Path) -> None:
    inspector = loaded(tmp_path)
    frame = frame_with_part()
    frame[160:, 160:] = 10  # the small image's network takes every keypoint to be there as long as it sees light
    (found,) = inspector.inspect("top", mono8_frame(frame))
    visible, hidden = KeypointState.visible, KeypointState.hidden
    assert [point.state for point in found.keypoints] == [visible, visible, visible, hidden]


def test_a_dark_picture_gives_no_number(tmp_path: Path) -> None:
    inspector = loaded(tmp_path, rest=f"image = {{ grey = [5, 200] }}\n{WIDTH}")
    (found,) = inspector.inspect("top", mono8_frame(np.zeros((256, 256), np.uint8)))
    assert found.keypoints == ()
    decision = inspector.decide({"top": found})
    assert (decision.result_state, decision.evaluation) == (ResultState.FAILED, Evaluation.UNDEFINED)
    assert [reason.code for reason in decision.reasons] == ["image_dark"]
    assert decision.measurements[0].value is None


def test_several_parts_of_a_frame_are_told_apart(tmp_path: Path) -> None:
    regions = [(0, 0, 256, 256), (300, 0, 256, 256), (600, 0, 256, 256)]
    nests = f"{{ nests = {[list(region) for region in regions]} }}"
    recipe = make_recipe(tmp_path / "part", ["top"], locate=nests, rest="image = { grey = [5, 200] }", sealed=False)
    inspector = Inspector.load(load_recipe(recipe, sealed=False))
    frame = np.zeros((256, 860), np.uint8)
    frame[:, :256] = frame[:, 600:] = 10
    draw_part(frame, regions[0], (4.0, 0.0))
    draw_part(frame, regions[2], (0.0, -6.0))
    first, empty, third = inspector.inspect("top", mono8_frame(frame))
    assert [reason.code for reason in empty.image_reasons] == ["image_dark"]
    for found, region, shift in ((first, regions[0], (4.0, 0.0)), (third, regions[2], (0.0, -6.0))):
        xy = np.array([[point.x, point.y] for point in found.keypoints])
        assert np.abs(xy - dots_sensor_px(region, shift)).max() < 0.1


def test_no_part_no_findings_and_a_verdict_all_the_same(tmp_path: Path) -> None:
    blob = "{ blob = { area_px = [100, 60000], threshold = 100 } }"
    recipe = make_recipe(tmp_path / "part", ["top"], locate=blob, sealed=False)
    inspector = Inspector.load(load_recipe(recipe, sealed=False))
    assert inspector.inspect("top", mono8_frame(np.zeros((256, 256), np.uint8))) == []
    decision = inspector.decide({})
    assert (decision.result_state, decision.evaluation) == (ResultState.FAILED, Evaluation.UNDEFINED)
    assert [(reason.code, reason.view) for reason in decision.reasons] == [("no_part", "top")]


def plain(findings: list[ViewFindings]) -> list[ViewFindings]:
    """Without the times."""
    return [dataclasses.replace(one, stages_ns={}) for one in findings]


def test_views_that_are_alike_are_inspected_together_as_they_are_alone(tmp_path: Path) -> None:
    views, nests = ["top", "side", "end"], [[0, 0, 256, 256], [300, 0, 256, 256]]
    rest = "image = { grey = [5, 200] }"
    folder = make_recipe(tmp_path / "part", views, locate=f"{{ nests = {nests} }}", rest=rest, sealed=False)
    inspector = Inspector.load(load_recipe(folder, sealed=False))
    frames = []
    for number, view in enumerate(views):
        picture = np.full((256, 556), 10, np.uint8)
        for region in nests[: 2 - number % 2]:  # one nest of the side view is dark
            draw_part(picture, (region[0], region[1], 256, 256), (3.0 * number, -2.0 * number))
        if number == 1:
            picture[:, 300:] = 0
        frames.append((view, mono8_frame(picture)))
    assert all(inspector.are_alike(one, other) for one in views for other in views)
    alone = [inspector.inspect(view, frame) for view, frame in frames]
    together = inspector.inspect_together(frames)
    assert [plain(findings) for findings in together] == [plain(findings) for findings in alone]
    assert [[bool(one.stages_ns) for one in findings] for findings in together] == [
        [True, False],
        [False] * 2,
        [False] * 2,
    ]
    assert inspector.decide({view: found[0] for (view, _), found in zip(frames, together, strict=True)}).stages_ns


@pytest.mark.parametrize("file", ["coarse.onnx", "refine.onnx", "visibility.toml", "shape.json"])
def test_views_of_which_one_file_differs_are_not_alike(tmp_path: Path, file: str) -> None:
    folder = make_recipe(tmp_path / "part", ["top", "side", "end"], sealed=False)
    path = folder / "side" / file
    if path.suffix == ".onnx":
        model = onnx.load(str(path))
        model.doc_string = "another"
        onnx.save(model, str(path))
    elif file == "visibility.toml":
        path.write_text("temperature = 2.0\n")
    else:
        half = float(np.sqrt(0.5))
        mean = [(-half, -half), (half, -half), (-half, half), (half, half)]
        write_shape(path, ShapeModel(KEYPOINTS, mean, [], [], [0.005] * 4))
    inspector = Inspector.load(load_recipe(folder, sealed=False))
    assert [inspector.are_alike("top", view) for view in ("top", "side", "end")] == [True, False, True]
    assert len(inspector.blank_runs) == 4


def test_findings_and_decisions_travel_between_processes(tmp_path: Path) -> None:
    inspector = loaded(tmp_path, rest=WIDTH)
    (found,) = inspector.inspect("top", mono8_frame(frame_with_part()))
    decision = inspector.decide({"top": found})
    for value in (found, decision):
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own bytes
        assert msgspec.convert(msgspec.to_builtins(value), type(value)) == value


def test_a_network_for_other_keypoints_is_refused(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path / "part", ["top"], sealed=False)
    path = recipe / "recipe.toml"
    path.write_text(path.read_text().replace("'a', 'b'", "'b', 'a'"))
    with pytest.raises(NetworkError, match=r"coarse.onnx: finds the keypoints a, b, c, d; allowed: b, a, c, d"):
        Inspector.load(load_recipe(recipe, sealed=False))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("network", ["coarse", "refine"])
@pytest.mark.parametrize("output", ["place", "visibility"])
def test_a_part_with_a_number_that_is_not_finite_never_passes(
    tmp_path: Path, network: str, output: str, value: float
) -> None:
    """For a keypoint that no measurement needs and that need not be present."""
    recipe = make_recipe(tmp_path / "part", ["top"], rest=WIDTH, sealed=False)
    frame = mono8_frame(frame_with_part())
    inspector = Inspector.load(load_recipe(recipe, sealed=False))
    passed = inspector.decide({"top": inspector.inspect("top", frame)[0]})
    assert passed.result_state is ResultState.COMPLETED
    place = {"coarse": "xy", "refine": "offset"}[network] if output == "place" else output
    spoil(recipe / "top" / f"{network}.onnx", place, value)
    inspector = Inspector.load(load_recipe(recipe, sealed=False))
    decision = inspector.decide({"top": inspector.inspect("top", frame)[0]})
    assert (decision.result_state, decision.evaluation) == (ResultState.FAILED, Evaluation.UNDEFINED)
    assert [(reason.code, reason.view) for reason in decision.reasons] == [("network_not_finite", "top")]
    assert decision.measurements[0].value is None


def spoil(path: Path, output: str, value: float) -> None:
    """Let a network give `value` for the last keypoint; a refine network in its first pass alone."""
    model = onnx.load(str(path))
    last = next(node for node in model.graph.node if node.output[0] == output)
    last.output[0] = "fine"
    constants = model.graph.initializer
    constants.append(numpy_helper.from_array(np.array(value, np.float32), "spoilt"))
    if path.stem == "coarse":
        constants.append(numpy_helper.from_array(np.array([[[False], [False], [False], [True]]]), "where"))
    else:
        constants.append(numpy_helper.from_array(np.array(3, np.int64), "last"))
        constants.append(numpy_helper.from_array(np.array(0, np.int64), "first"))
        constants.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
        for operator, inputs, made in (
            ("Equal", ["keypoint", "last"], "is_last"),
            ("Equal", ["span", "first"], "is_first"),
            ("And", ["is_last", "is_first"], "is_both"),
            ("Unsqueeze", ["is_both", "axis"], "where"),
        ):
            model.graph.node.append(helper.make_node(operator, inputs, [made]))
    model.graph.node.append(helper.make_node("Where", ["where", "spoilt", "fine"], [output]))
    onnx.save(model, str(path))


@pytest.mark.parametrize("batch", [1, 2])
def test_a_network_that_fails_when_it_runs_is_one_line(
    tmp_path: Path, batch: int, capfd: pytest.CaptureFixture[str]
) -> None:
    nests = "{ nests = [[0, 0, 256, 256], [0, 0, 256, 256]] }"
    folder = make_recipe(tmp_path / "part", ["top"], locate=nests, refine=False, sealed=False)
    fail_with_batches_of(batch, folder / "top" / "coarse.onnx")
    cv2.imwrite(str(tmp_path / "frame.png"), frame_with_part())
    assert main(["seal", str(folder), "--frames", str(tmp_path)]) == 2
    found = capfd.readouterr().err
    assert found.startswith(f"datumd: {folder / 'top' / 'coarse.onnx'}: the network failed: ")
    assert found.count("\n") == 1


def fail_with_batches_of(batch: int, path: Path) -> None:
    """Let a network reshape its input to what only another batch size can be."""
    model = onnx.load(str(path))
    last = next(node for node in model.graph.node if node.output[0] == "xy")
    last.output[0] = "places"
    images = 3 - batch
    model.graph.initializer.append(numpy_helper.from_array(np.array([images, 64 * 64], np.int64), "shape"))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "nothing"))
    for operator, inputs, output, attributes in (
        ("Reshape", ["image", "shape"], "flat", {}),
        ("Cast", ["flat"], "levels", {"to": TensorProto.FLOAT}),
        ("ReduceMax", ["levels"], "level", {"keepdims": 0}),
        ("Mul", ["level", "nothing"], "zero", {}),
        ("Add", ["places", "zero"], "xy", {}),
    ):
        model.graph.node.append(helper.make_node(operator, inputs, [output], **attributes))
    onnx.save(model, str(path))


def test_a_network_that_was_changed_after_the_lock_was_read_is_refused(tmp_path: Path) -> None:
    recipe = load_recipe(make_recipe(tmp_path / "part", ["top"]))
    other = make_recipe(tmp_path / "other", ["top"], logits=(1, 1, 1, 1))
    (recipe.folder / "top" / "coarse.onnx").write_bytes((other / "top" / "coarse.onnx").read_bytes())
    with pytest.raises(RecipeError, match=r"coarse.onnx: was changed while the recipe was loaded"):
        Inspector.load(recipe)
