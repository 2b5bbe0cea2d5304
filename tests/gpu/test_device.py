"""The kernels, pinned memory and graphs on a real GPU: the same grey levels as on the processor."""

import mmap

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from engines.devices.cpu import CpuDevice
from engines.devices.cuda import CudaDevice
from tests.device_pairs import (
    BORDERS,
    MAPS,
    PATCHES,
    SIZES,
    check_gather,
    check_pad,
    check_resize,
    check_warp,
    levels,
    share_apart,
)

pytestmark = pytest.mark.gpu
many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(**SIZES)
def test_resized_images_are_the_same(
    device: CudaDevice, seed: int, source: tuple[int, int], target: tuple[int, int]
) -> None:
    check_resize(device, levels(seed, *source), target)


@pytest.mark.parametrize("size", [(896, 1152), (1792, 2304), (3584, 4608), (1000, 1500), (5000, 5000)])
def test_large_images_are_the_same(device: CudaDevice, size: tuple[int, int]) -> None:
    for _ in range(3):  # as they are, then captured, then again
        check_resize(device, levels(sum(size), *size), (224, 288))


@many
@given(**BORDERS)
def test_padded_images_are_the_same(
    device: CudaDevice, seed: int, source: tuple[int, int], left: int, top: int, right: int, bottom: int
) -> None:
    check_pad(device, levels(seed, *source), left - 1, top - 1, right - 1, bottom - 1)


@many
@given(**PATCHES)
def test_patches_are_the_same_to_one_level(
    device: CudaDevice,
    seed: int,
    source: tuple[int, int],
    size: int,
    step: float,
    angle: float,
    fractions: list[tuple[float, float]],
) -> None:
    check_gather(device, levels(seed, *source), size, step, angle, fractions)


@many
@given(**MAPS)
def test_warped_images_are_the_same_to_one_level(
    device: CudaDevice,
    seed: int,
    source: tuple[int, int],
    target: tuple[int, int],
    angle: float,
    step: float,
    stretch: float,
    corner: tuple[float, float],
) -> None:
    check_warp(device, levels(seed, *source), target, angle, step, stretch, corner)


def test_frames_of_a_ring_that_is_pinned(device: CudaDevice) -> None:
    """The ring's memory is a mapping; it can be closed although it was pinned."""
    memory = mmap.mmap(-1, 1 << 22)
    ring = np.frombuffer(memory, np.uint8)
    device.driver.pin(ring)
    frame = ring.reshape(2048, 2048)
    target, expected = device.empty(256, 256), np.empty((256, 256), np.uint8)
    for seed in range(5):
        frame[:] = levels(seed, 2048, 2048)
        area = frame[100 + seed : 1124 + seed, 37 : 37 + 1024]
        CpuDevice().resize(area, expected)
        device.resize(device.upload(area), target)
        assert np.array_equal(device.download(target), expected)
    del frame, ring, area
    memory.close()


def test_a_thousand_frames_take_no_more_memory(device: CudaDevice) -> None:
    import pycuda.driver as cuda  # only where it is

    target, frame = device.empty(256, 256), levels(0, 1024, 1024)

    def run(count: int) -> int:
        for _ in range(count):
            device.resize(device.upload(frame), target)
            device.download(target)
        return int(cuda.mem_get_info()[0])

    before = run(20)
    assert run(1000) >= before - (1 << 20)


@pytest.mark.parametrize(
    ("step", "angle", "share"), [(1.3, 0.2, 0.001), (2.7, -1.0, 0.001), (1.5, 0.0, 0.001), (3.0, 0.0, 0.001)]
)
def test_hardly_any_pixel_is_a_level_apart(device: CudaDevice, step: float, angle: float, share: float) -> None:
    assert max(share_apart(device, step, angle)) <= share
