import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training.masks.heatmap_label import KINDS, HeatmapKind, heatmap_label


def bar() -> NDArray[np.bool_]:
    """A bar of 60 x 9 px whose middle row is 64, in an image of 128 x 128."""
    mask = np.zeros((128, 128), np.bool_)
    mask[60:69, 30:90] = True
    return mask


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_from_0_to_1_and_an_empty_mask_gives_none(kind: HeatmapKind) -> None:
    label = heatmap_label(bar(), (32, 32), 1.0, kind)
    assert label.dtype == np.float32
    assert label.shape == (32, 32)
    assert label.min() >= 0.0
    assert label.max() == 1.0
    assert not heatmap_label(np.zeros((128, 128), np.bool_), (32, 32), 1.0, kind).any()


def test_the_ridge_lies_along_the_skeleton() -> None:
    label = heatmap_label(bar(), (128, 128), 2.0)
    assert (label[64, 40:80] == 1.0).all()
    assert label[70, 60] == pytest.approx(np.exp(-0.5 * (6 / 2.0) ** 2), rel=1e-3)
    assert label[:, 60].argmax() == 64


def test_the_middle_of_the_box_is_one_point_for_each_piece() -> None:
    mask = bar()
    mask[10:13, 100:105] = True
    label = heatmap_label(mask, (128, 128), 1.0, "centre")
    assert np.argwhere(label == 1.0).tolist() == [[11, 102], [64, 59]]


def test_the_mask_itself_is_1_and_falls_off_outside() -> None:
    label = heatmap_label(bar(), (128, 128), 2.0, "mask")
    assert (label[bar()] == 1.0).all()
    assert label[70, 60] == pytest.approx(np.exp(-0.5), rel=1e-3)


def test_a_coarse_cell_has_the_height_of_its_highest_pixel() -> None:
    mask = np.zeros((64, 96), np.bool_)
    mask[19, 50] = True
    label = heatmap_label(mask, (12, 8), 0.5)
    assert label[19 // 8, 50 // 8] == 1.0
    assert (label == 1.0).sum() == 1
    assert label[19 // 8, 50 // 8 + 2] < 0.1


def test_a_map_of_any_size_shows_the_same_area() -> None:
    mask = np.zeros((50, 70), np.bool_)
    mask[30:40, 10:50] = True
    fine = heatmap_label(mask, (140, 100), 4.0, "mask")
    coarse = heatmap_label(mask, (23, 17), 4.0 * 23 / 140, "mask")
    apart = cv2.resize(fine, (23, 17), interpolation=cv2.INTER_AREA) - coarse
    assert np.abs(apart).mean() < 0.06
    assert fine[70, 50] == coarse[11, 8] == 1.0
