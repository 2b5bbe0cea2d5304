"""Refinement of single points."""

from pathlib import Path

import numpy as np
import pytest

from engines.devices.cpu import CpuDevice
from pipeline.geometry import Region
from pipeline.network import RefineCard, load_network
from pipeline.pixels import mono8_frame
from pipeline.stages.preprocess import Preprocess
from pipeline.stages.refine import Refine
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
