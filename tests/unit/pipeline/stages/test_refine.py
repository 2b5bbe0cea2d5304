"""Refinement of single points."""

from pathlib import Path

import numpy as np
import pytest

from engines.devices.cpu import CpuDevice
from engines.engine import Engine, Tensors
from pipeline.geometry import Region
from pipeline.network import Network, RefineCard, load_network
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
