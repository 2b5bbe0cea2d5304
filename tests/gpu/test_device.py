"""The kernels, pinned memory and graphs on a real GPU: the same grey levels as on the processor."""

import mmap

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from engines.devices.cpu import CpuDevice
from engines.devices.cuda import CudaDevice
from tests.device_pairs import (
    GATHERINGS,
    PADDINGS,
    RESIZINGS,
    SHARE_APART,
    STEPS_AND_ANGLES,
    WARPINGS,
    Gathering,
    Padding,
    Resizing,
    Warping,
    levels,
    share_apart,
)

pytestmark = pytest.mark.gpu
many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(resizing=RESIZINGS)
def test_resized_images_are_the_same(device: CudaDevice, resizing: Resizing) -> None:
    resizing.check(device)


@pytest.mark.parametrize("size", [(896, 1152), (1792, 2304), (3584, 4608), (1000, 1500), (5000, 5000)])
def test_large_images_are_the_same(device: CudaDevice, size: tuple[int, int]) -> None:
    for _ in range(3):  # as they are, then captured, then again
        Resizing(sum(size), size, (224, 288)).check(device)


@many
@given(padding=PADDINGS)
def test_padded_images_are_the_same(device: CudaDevice, padding: Padding) -> None:
    padding.check(device)


@many
@given(gathering=GATHERINGS)
def test_patches_are_the_same_to_one_level(device: CudaDevice, gathering: Gathering) -> None:
    gathering.check(device)


@many
@given(warping=WARPINGS)
def test_warped_images_are_the_same_to_one_level(device: CudaDevice, warping: Warping) -> None:
    warping.check(device)


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


@pytest.mark.parametrize(("step", "angle"), STEPS_AND_ANGLES)
def test_hardly_any_pixel_is_a_level_apart(device: CudaDevice, step: float, angle: float) -> None:
    assert max(share_apart(device, step, angle)) <= SHARE_APART
