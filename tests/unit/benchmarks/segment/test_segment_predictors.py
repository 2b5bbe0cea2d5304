import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.segment.predictors import Running, prompts
from pipeline.geometry import Region
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.stages.crop import sensor_from_map
from training.masks.sample import MaskedSample
from training.networks.unet import UNet
from training.segment_evaluate import scored
from training.segment_maps import Place


def a_sample() -> MaskedSample:
    image = np.full((120, 160), 60, np.uint8)
    mask = np.zeros(image.shape, np.bool_)
    mask[20:40, 40:48] = True
    mask[80, 100] = True
    image[mask] = 250
    return MaskedSample("a", image, mask, "dent", "a")


def test_boxes_and_points_are_those_of_the_defects_in_the_images_pixels() -> None:
    sensor_from_image = sensor_from_map(Region(20, 0, 120, 120), (240, 240))  # two pixels of the image for each
    boxes = prompts(a_sample(), Region(0, 0, 160, 120), sensor_from_image, "box")
    assert boxes.tolist() == [[40.5, 40.5, 54.5, 78.5], [160.5, 160.5, 160.5, 160.5]]
    points = prompts(a_sample(), Region(0, 0, 160, 120), sensor_from_image, "point")
    (x, y), last = points.tolist()
    assert 46 <= x <= 49
    assert 46 <= y <= 73
    assert last == [160.5, 160.5]


def test_only_defects_in_the_region_are_asked_for() -> None:
    sensor_from_image = sensor_from_map(Region(0, 0, 60, 60), (60, 60))
    assert len(prompts(a_sample(), Region(0, 0, 60, 60), sensor_from_image, "box")) == 1
    assert prompts(a_sample(), Region(100, 0, 20, 20), sensor_from_image, "box").shape == (0, 4)


class Bright(UNet):
    """Logits by grey level."""

    def __init__(self) -> None:
        super().__init__((64, 64), (8, 8), 4)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits = (image[..., 0].float() - 150.0) / 10.0
        return logits, torch.ones(len(image), 8, 8)


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (2, 1), (3, 3)])
def test_a_network_in_torch_sees_what_the_daemon_cuts(columns: int, rows: int) -> None:
    sample, region = a_sample(), Region(0.0, 0.0, 160.0, 120.0)
    maps = Running(Bright(), (columns, rows))(sample, region)
    assert maps.mask_logits.shape == (64 * rows, 64 * columns)
    part = scored(maps, Place([region]), SegmentThresholds(score_above=0.5), sample, None)
    assert part.iou > 0.6
    assert part.defects[0].is_found
