"""Resizing and gathering on the CPU."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice


@pytest.fixture
def device() -> CpuDevice:
    return CpuDevice()


def plane(width: int, height: int) -> NDArray[np.uint8]:
    """Levels that rise by a half a pixel along x and y."""
    rows, columns = np.indices((height, width))
    return ((rows + columns) / 2.0).astype(np.uint8)


def test_a_power_of_two_is_the_mean_over_the_area(device: CpuDevice) -> None:
    image = np.random.default_rng(0).integers(0, 256, (256, 512), np.uint8)
    small = np.empty((32, 64), np.uint8)
    device.resize(image, small)
    mean = image.reshape(32, 8, 64, 8).mean(axis=(1, 3))
    assert np.abs(small - mean).max() <= 1.5  # one rounding for each of three halvings


def test_a_free_scale_does_not_alias(device: CpuDevice) -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (600, 300))  # finer than the target can show
    small = np.empty((90, 90), np.uint8)
    device.resize(stripes, small)
    assert small.min() > 120
    assert small.max() < 135


def test_the_same_size_is_a_copy_and_larger_is_linear(device: CpuDevice) -> None:
    image = plane(40, 30)
    same, larger = np.empty((30, 40), np.uint8), np.empty((60, 80), np.uint8)
    device.resize(image, same)
    device.resize(image, larger)
    assert np.array_equal(same, image)
    assert abs(int(larger[30, 40]) - (14.75 / 2 + 19.75 / 2 - 0.25)) <= 1


def test_odd_sizes_are_resized_too(device: CpuDevice) -> None:
    image = np.full((1001, 777), 90, np.uint8)
    small = np.empty((64, 64), np.uint8)
    device.resize(image, small)
    assert (small == 90).all()


@pytest.mark.parametrize("span", [24.0, 48.0, 96.0, 36.0, 130.0])
def test_patches_lie_about_their_centre(device: CpuDevice, span: float) -> None:
    image = plane(250, 250)
    centres = np.array([[100.0, 120.0], [100.25, 119.5], [131.7, 90.3]])
    patches = np.empty((3, 24, 24), np.uint8)
    device.gather(image, centres, span, patches)
    grid = (np.arange(24) - 11.5) * span / 24
    expected = (centres[:, 0, None, None] + grid + centres[:, 1, None, None] + grid[:, None]) / 2.0 - 0.25
    assert np.abs(patches - expected).max() <= 1.0


@pytest.mark.parametrize("span", [16.0, 32.0, 20.0])
def test_no_patches_are_nothing_to_do(device: CpuDevice, span: float) -> None:
    device.gather(plane(50, 50), np.empty((0, 2)), span, np.empty((0, 16, 16), np.uint8))


@pytest.mark.parametrize("span", [16.0, 32.0])
def test_patches_at_a_corner_repeat_its_pixel(device: CpuDevice, span: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8)
    corners = np.array([[-30.3, -30.3], [110.3, -30.3], [-30.3, 90.3], [110.3, 90.3]])
    patches = np.empty((4, 16, 16), np.uint8)
    device.gather(image, corners, span, patches)
    for patch, level in zip(patches, image[[0, 0, -1, -1], [0, -1, 0, -1]], strict=True):
        assert (patch == level).all()


def test_patches_beyond_the_image_repeat_its_edge(device: CpuDevice) -> None:
    image = plane(100, 100)
    patches = np.empty((2, 16, 16), np.uint8)
    for span in (16.0, 32.0, 20.0):
        device.gather(image, np.array([[-60.0, 50.0], [400.0, 400.0]]), span, patches)
        assert (patches[0] == patches[0][:, :1]).all()
        assert (patches[1] == image[99, 99]).all()


@pytest.mark.parametrize(("angle", "turns"), [(0.0, 0), (np.pi / 2, 1), (np.pi, 2), (-np.pi / 2, 3)])
def test_a_patch_at_the_images_own_scale_is_a_cut_turned_by_quarters(
    device: CpuDevice, angle: float, turns: int
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 100), np.uint8)
    patches = np.empty((1, 16, 16), np.uint8)
    device.gather(image, np.array([[47.5, 32.5]]), 16.0, patches, angle)
    assert np.array_equal(np.rot90(patches[0], -turns), image[25:41, 40:56])


@pytest.mark.parametrize("span", [16.0, 32.0, 20.0])
def test_a_turned_patch_beyond_the_image_repeats_its_edge(device: CpuDevice, span: float) -> None:
    patches = np.empty((1, 16, 16), np.uint8)
    device.gather(plane(100, 100), np.array([[400.0, 400.0]]), span, patches, 0.7)
    assert (patches == 99).all()


def test_padding_repeats_the_edge(device: CpuDevice) -> None:
    target = np.zeros((4, 6), np.uint8)
    device.pad(np.array([[1, 2], [3, 4]], np.uint8), target, left=3, top=1)
    assert target.tolist() == [[1, 1, 1, 1, 2, 2]] * 2 + [[3, 3, 3, 3, 4, 4]] * 2


def test_a_warp_that_only_moves_whole_pixels_is_a_cut_whose_edge_repeats(device: CpuDevice) -> None:
    image = plane(100, 80)
    target = np.empty((20, 30), np.uint8)
    device.warp(image, np.array([[1.0, 0.0, 12.0], [0.0, 1.0, 7.0]]), target)
    assert np.array_equal(target, image[7:27, 12:42])
    device.warp(image, np.array([[1.0, 0.0, 500.0], [0.0, 1.0, 500.0]]), target)
    assert (target == image[-1, -1]).all()


@pytest.mark.parametrize("size", [(512, 512), (511, 509)])
def test_a_warp_that_shrinks_does_not_alias(device: CpuDevice, size: tuple[int, int]) -> None:
    checks = ((np.indices(size).sum(axis=0) % 2) * 255).astype(np.uint8)  # finer than the target can show
    target = np.empty((64, 64), np.uint8)
    device.warp(checks, np.array([[4.9, 3.9, -20.0], [-3.9, 4.9, 250.0]]), target)
    inside = target[20:44, 20:44]
    assert inside.min() > 100
    assert inside.max() < 155


def test_patches_that_are_not_adjacent_are_refused() -> None:
    patches = np.zeros((2, 8, 16), np.uint8)[:, :, ::2]
    with pytest.raises(ValueError, match="not adjacent"):
        CpuDevice().gather(np.full((32, 32), 9, np.uint8), np.full((2, 2), 16.0), 8.0, patches)
