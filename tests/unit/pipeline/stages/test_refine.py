"""Refinement of single points."""

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from engines.devices.cpu import CpuDevice
from engines.engine import Engine, Tensors
from pipeline.geometry import Region
from pipeline.network import METADATA_KEY, Network, RefineCard, load_network, write_card
from pipeline.pixels import mono8_frame
from pipeline.shape import ShapeModel
from pipeline.stages.preprocess import Preprocess
from pipeline.stages.refine import Refine
from pipeline.stages.shape import ShapeFit
from pipeline.stages.values import CoarseKeypoints, Prepared
from tests.networks import write_refine
from tests.recipes import KEYPOINTS, dots_sensor_px, frame_with_part


@pytest.fixture
def part() -> Prepared:
    frame = mono8_frame(frame_with_part(shift_px=(0.4, -0.3)))
    return Preprocess((64, 64), (256, 256), CpuDevice())(frame, [Region(0, 0, 256, 256)])[0]


@pytest.fixture
def refine(tmp_path: Path) -> Refine:
    card = RefineCard(keypoints=KEYPOINTS, large_wh=(256, 256), patch=16, spans_px=[64.0, 32.0])
    write_refine(tmp_path / "refine.onnx", card)
    return Refine(load_network(tmp_path / "refine.onnx", RefineCard), CpuDevice())


def at(xy_large_px: np.ndarray) -> CoarseKeypoints:
    return CoarseKeypoints(xy_large_px, np.zeros((4, 2), np.float32), np.full(4, np.nan))


def test_points_move_to_what_their_patches_show(part: Prepared, refine: Refine) -> None:
    truth = dots_sensor_px(shift_px=(0.4, -0.3))
    start = truth + np.array([[9.0, -7.0], [-3.5, 2.0], [0.0, 12.0], [15.0, 15.0]])
    first, second = refine([part, part], [at(start), at(truth)])
    assert np.abs(first.xy_large_px - truth).max() < 0.1
    assert np.abs(second.xy_large_px - truth).max() < 0.1
    assert first.logits.shape == (4, 2)


def test_points_far_outside_do_no_harm_and_what_is_no_number_stays_none(part: Prepared, refine: Refine) -> None:
    truth = dots_sensor_px(shift_px=(0.4, -0.3))
    start = np.array([[np.nan, 64.0], [64.0, np.inf], [-1e12, 1e12], truth[3]])
    (found,) = refine([part], [at(start)])
    assert np.isnan(found.xy_large_px[0, 0])
    assert np.isnan(found.xy_large_px[1, 1])
    assert np.isfinite(found.xy_large_px[2:]).all()
    assert np.abs(found.xy_large_px[3] - truth[3]).max() < 0.1


def test_what_was_found_stays_when_the_next_frame_comes(part: Prepared, refine: Refine) -> None:
    truth = dots_sensor_px(shift_px=(0.4, -0.3))
    (found,) = refine([part], [at(truth)])
    before = (found.xy_large_px.copy(), found.logits.copy())
    part.large[:] = 0
    (dark,) = refine([part], [at(truth)])
    np.testing.assert_array_equal(found.xy_large_px, before[0])
    np.testing.assert_array_equal(found.logits, before[1])
    assert (dark.logits[:, 0] < found.logits[:, 0]).all()


def test_no_part_runs_no_network(refine: Refine) -> None:
    assert refine([], []) == []


class Counting:
    """An engine that writes down the size of every batch."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.spec, self.backend = engine, engine.spec, engine.backend
        self.batches: list[int] = []

    def warm_up(self, batch: int) -> None:
        self._engine.warm_up(batch)

    def run(self, inputs: Tensors) -> Tensors:
        self.batches.append(len(inputs["patches"]))
        return self._engine.run(inputs)

    def close(self) -> None:
        self._engine.close()


@pytest.fixture
def held(tmp_path: Path) -> tuple[Refine, Counting]:
    """With a shape model of the square that the dots form."""
    card = RefineCard(keypoints=KEYPOINTS, large_wh=(256, 256), patch=16, spans_px=[64.0, 32.0], has_sigma=True)
    write_refine(tmp_path / "held.onnx", card)
    network = load_network(tmp_path / "held.onnx", RefineCard)
    side = np.sqrt(0.5)
    square = [(-side, -side), (side, -side), (-side, side), (side, side)]
    shape = ShapeFit(ShapeModel(KEYPOINTS, square, [], [], [0.005] * 4))
    engine = Counting(network.engine)
    return Refine(Network(network.path, network.card, engine), CpuDevice(), shape), engine


def test_a_point_that_was_led_astray_is_looked_for_again_where_the_shape_says(
    part: Prepared, refine: Refine, held: tuple[Refine, Counting]
) -> None:
    truth = dots_sensor_px(shift_px=(0.4, -0.3))
    start = truth + np.array([[0.0, 0.0], [-70.0, 45.0], [2.0, 1.0], [-3.0, 1.0]])
    assert np.abs(refine([part], [at(start)])[0].xy_large_px - truth).max() > 40
    calm, found = held[0]([part, part], [at(truth), at(start)])
    assert np.abs(found.xy_large_px - truth).max() < 0.1
    assert np.abs(calm.xy_large_px - truth).max() < 0.1
    assert held[1].batches == [8, 1, 8]


def test_where_all_is_seen_no_network_runs_more_often_and_places_are_the_same(
    part: Prepared, refine: Refine, held: tuple[Refine, Counting]
) -> None:
    start = dots_sensor_px() + 3.0
    (with_shape,), (without,) = held[0]([part], [at(start)]), refine([part], [at(start)])
    assert held[1].batches == [4, 4]
    assert np.array_equal(with_shape.xy_large_px, without.xy_large_px)
    assert with_shape.sigma_large_px == pytest.approx(np.sqrt(12.5) * 2.0)  # of a patch of 16 px over 32
    assert np.isnan(without.sigma_large_px).all()


def test_what_is_no_number_stays_none_with_a_shape(part: Prepared, held: tuple[Refine, Counting]) -> None:
    start = dots_sensor_px()
    start[2, 1] = np.nan
    (found,) = held[0]([part], [at(start)])
    assert np.isnan(found.xy_large_px[2]).any()
    assert not found.is_finite


SQUARE = [(-3.0, -3.0), (3.0, -3.0), (-3.0, 3.0), (3.0, 3.0)]


def looking(folder: Path, pose: list[tuple[float, float]] | None) -> Refine:
    """A network whose offsets, up to some px, are weighted sums over the patch: it knows up from down."""
    card = RefineCard(keypoints=KEYPOINTS, large_wh=(256, 256), patch=16, spans_px=[64.0, 32.0], pose=pose)
    noise = np.random.default_rng(5).normal(0, 3.6e-3, (16, 16, 2)).astype(np.float32)
    weights = np.asarray(cv2.GaussianBlur(noise, (0, 0), 2.0), np.float32)
    weights -= weights.mean(axis=(0, 1))
    level = numpy_helper.from_array(weights.reshape(256, 2), "weights")
    flat = numpy_helper.from_array(np.array([-1, 256]), "flat")
    nodes = [
        helper.make_node("Cast", ["patches"], ["levels"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Reshape", ["levels", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "weights"], ["offset"]),
        helper.make_node("Identity", ["offset"], ["visibility"]),
    ]
    inputs, outputs = (
        [
            helper.make_tensor_value_info(t.name, helper.np_dtype_to_tensor_dtype(t.dtype), ["N", *t.shape[1:]])
            for t in side
        ]
        for side in card.tensors()
    )
    graph = helper.make_graph(nodes, "looking", inputs, outputs, [level, flat])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {METADATA_KEY: write_card(card)})
    path = folder / f"looking{pose is None}.onnx"
    onnx.save(model, str(path))
    return Refine(load_network(path, RefineCard), CpuDevice())


@pytest.fixture
def cloud() -> np.ndarray:
    """A picture without detail finer than some px; what lies around its middle, 512x512."""
    noise = np.random.default_rng(3).uniform(0, 255, (24, 24)).astype(np.float32)
    return np.asarray(cv2.resize(noise, (512, 512), interpolation=cv2.INTER_CUBIC).clip(0, 255), np.uint8)


def seen_at(cloud: np.ndarray, angle_rad: float, xy: np.ndarray) -> tuple[Prepared, np.ndarray]:
    """The middle of the picture, turned, as a part; and points of it, (K, 2) from the middle."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    turn = np.array([[cos, -sin], [sin, cos]])
    pose = np.column_stack((turn, np.array([127.5, 127.5]) - turn @ [255.5, 255.5]))
    image = np.asarray(cv2.warpAffine(cloud, pose, (256, 256), flags=cv2.INTER_CUBIC), np.uint8)
    frame = Preprocess((64, 64), (256, 256), CpuDevice())(mono8_frame(image), [Region(0, 0, 256, 256)])[0]
    return frame, xy @ turn.T + 127.5


@pytest.mark.parametrize("angle_deg", [3.0, 45.0, 90.0, 181.0, -120.0])
def test_a_turned_part_is_refined_as_the_upright_one(tmp_path: Path, cloud: np.ndarray, angle_deg: float) -> None:
    angle = np.radians(angle_deg)
    start = 12.0 * np.array(SQUARE) + [[3.0, 1.0], [-2.0, 2.0], [1.0, -3.0], [0.0, 2.0]]
    stages = looking(tmp_path, SQUARE), looking(tmp_path, None)
    (part, places), (straight, upright) = seen_at(cloud, angle, start), seen_at(cloud, 0.0, start)
    both, alone = stages[0]([part, straight], [at(places), at(upright)]), stages[1]([part], [at(places)])
    back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = (both[0].xy_large_px - places) @ back.T
    assert np.hypot(*(both[1].xy_large_px - upright).T).max() > 4.0
    assert np.abs(moved - (both[1].xy_large_px - upright)).max() < 0.15
    assert both[0].logits == pytest.approx(both[1].logits, abs=0.05)
    if abs(angle_deg) > 20:
        assert np.abs((alone[0].xy_large_px - places) @ back.T - moved).max() > 1.0


def test_a_part_that_does_not_tell_its_angle_is_taken_as_upright(tmp_path: Path, cloud: np.ndarray) -> None:
    turned, upright = looking(tmp_path, SQUARE), looking(tmp_path, None)
    lost = np.full((4, 2), np.nan)
    one = lost.copy()
    one[1] = (120.0, 131.0)
    together = np.full((4, 2), 125.25)
    part = seen_at(cloud, 0.4, together)[0]
    for start in (lost, one, together):
        (found,), (wanted,) = (stage([part], [at(start)]) for stage in (turned, upright))
        if start is not together:  # whose first pass moves the points apart
            assert np.array_equal(found.xy_large_px, wanted.xy_large_px, equal_nan=True)
        assert np.array_equal(np.isnan(found.xy_large_px), np.isnan(start))
