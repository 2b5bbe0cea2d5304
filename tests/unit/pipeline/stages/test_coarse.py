"""Positions from small images."""

from pathlib import Path

import numpy as np

from engines.devices.cpu import CpuDevice
from pipeline.geometry import Region
from pipeline.network import CoarseCard, load_network
from pipeline.pixels import mono8_frame
from pipeline.stages.coarse import coarse
from pipeline.stages.preprocess import Preprocess
from tests.networks import write_coarse
from tests.recipes import DOTS, KEYPOINTS, LARGE_WH, SMALL_WH, frame_with_part


def test_what_was_found_stays_when_the_next_frame_comes(tmp_path: Path) -> None:
    card = CoarseCard(keypoints=KEYPOINTS, large_wh=LARGE_WH, small_wh=SMALL_WH)
    write_coarse(tmp_path / "coarse.onnx", card, DOTS * SMALL_WH - 0.5, visible=[8.0] * 4)
    network = load_network(tmp_path / "coarse.onnx", CoarseCard)
    preprocess = Preprocess(SMALL_WH, LARGE_WH, CpuDevice())
    region = [Region(0, 0, 256, 256)]
    (found,) = coarse(preprocess(mono8_frame(frame_with_part()), region), network)
    before = (found.xy_large_px.copy(), found.logits.copy())
    (dark,) = coarse(preprocess(mono8_frame(np.zeros((256, 256), np.uint8)), region), network)
    np.testing.assert_array_equal(found.xy_large_px, before[0])
    np.testing.assert_array_equal(found.logits, before[1])
    assert (dark.logits[:, 0] < found.logits[:, 0]).all()
    assert coarse([], network) == []
