"""Positions from small images."""

from pathlib import Path

import numpy as np
import pytest

from engines.devices.cpu import CpuDevice
from pipeline.geometry import Region, resize
from pipeline.network import CoarseCard, load_network
from pipeline.pixels import mono8_frame
from pipeline.stages.coarse import coarse, in_large_image
from pipeline.stages.preprocess import Preprocess
from tests.networks import write_coarse
from tests.recipes import DOTS, KEYPOINTS, LARGE_WH, SMALL_WH, dots_sensor_px, frame_with_part


def test_what_was_found_stays_when_the_next_frame_comes(tmp_path: Path) -> None:
    card = CoarseCard(keypoints=KEYPOINTS, large_wh=LARGE_WH, small_wh=SMALL_WH)
    write_coarse(tmp_path / "coarse.onnx", card, DOTS * SMALL_WH - 0.5, visible=[8.0] * 4)
    network = load_network(tmp_path / "coarse.onnx", CoarseCard)
    preprocess = Preprocess(SMALL_WH, LARGE_WH, CpuDevice())
    region = [Region(0, 0, 256, 256)]
    (found,) = coarse(preprocess(mono8_frame(frame_with_part()), region), network, CpuDevice())
    before = (found.xy_large_px.copy(), found.logits.copy())
    (dark,) = coarse(preprocess(mono8_frame(np.zeros((256, 256), np.uint8)), region), network, CpuDevice())
    np.testing.assert_array_equal(found.xy_large_px, before[0])
    np.testing.assert_array_equal(found.logits, before[1])
    assert (dark.logits[:, 0] < found.logits[:, 0]).all()
    assert coarse([], network, CpuDevice()) == []


def test_sigma_is_told_in_px_of_the_large_image(tmp_path: Path) -> None:
    card = CoarseCard(keypoints=KEYPOINTS, large_wh=LARGE_WH, small_wh=SMALL_WH, has_sigma=True)
    write_coarse(tmp_path / "coarse.onnx", card, DOTS * SMALL_WH - 0.5, visible=[8.0] * 4)
    parts = Preprocess(SMALL_WH, LARGE_WH, CpuDevice())(mono8_frame(frame_with_part()), [Region(0, 0, 256, 256)])
    (found,) = coarse(parts, load_network(tmp_path / "coarse.onnx", CoarseCard), CpuDevice())
    assert found.sigma_large_px == pytest.approx(np.sqrt((3.0**2 + 4.0**2) / 2) * 4)
    assert np.abs(found.xy_large_px - dots_sensor_px()).max() < 0.1


def test_a_sigma_that_is_no_number_is_a_failure_of_its_keypoint() -> None:
    outputs = {name: np.ones((1, 3, 2), np.float32) for name in ("xy", "visibility", "sigma")}
    outputs["sigma"][0, 1, 0] = np.inf
    (found,) = in_large_image(outputs, [resize(4.0, 4.0)])
    assert np.isnan(found.logits).all(axis=1).tolist() == [False, True, False]
