"""A GPU's images are those of the processor: the text of the kernels, run here, beside OpenCV."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from engines.devices.cuda import CudaDevice
from tests.host_driver import HostDriver

pytestmark = pytest.mark.needs_debian("g++", program="g++")

Image = NDArray[np.uint8]
SIDES = st.integers(1, 150)
ANGLES = st.one_of(st.just(0.0), st.just(math.pi / 2), st.floats(-math.pi, math.pi))
SEEDS = st.integers(0, 2**32 - 1)


def levels(seed: int, height: int, width: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def differences(one: Image, two: Image) -> NDArray[np.int64]:
    return np.abs(one.astype(np.int64) - two)


@settings(max_examples=150, deadline=None)
@given(seed=SEEDS, source=st.tuples(SIDES, SIDES), target=st.tuples(SIDES, SIDES))
def test_resized_images_are_the_same(seed: int, source: tuple[int, int], target: tuple[int, int]) -> None:
    image, expected = levels(seed, *source), np.empty(target, np.uint8)
    CpuDevice().resize(image, expected)
    device = CudaDevice(HostDriver())
    found = device.empty(*target)
    device.resize(device.upload(image), found)
    assert np.array_equal(device.download(found), expected)


@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS,
    target=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    levels_=st.integers(0, 5),
    odd=st.integers(0, 3),
)
def test_images_of_many_times_the_size_are_the_same(seed: int, target: tuple[int, int], levels_: int, odd: int) -> None:
    image = levels(seed, target[0] * 2**levels_ + odd * 2 ** min(levels_, 2), target[1] * 2**levels_ + odd)
    expected = np.empty(target, np.uint8)
    CpuDevice().resize(image, expected)
    device = CudaDevice(HostDriver())
    found = device.empty(*target)
    device.resize(device.upload(image), found)
    assert np.array_equal(device.download(found), expected)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, source=st.tuples(SIDES, SIDES), left=SIDES, top=SIDES, right=SIDES, bottom=SIDES)
def test_padded_images_are_the_same(
    seed: int, source: tuple[int, int], left: int, top: int, right: int, bottom: int
) -> None:
    image = levels(seed, *source)
    expected = np.empty((source[0] + top + bottom - 2, source[1] + left + right - 2), np.uint8)
    CpuDevice().pad(image, expected, left=left - 1, top=top - 1)
    device = CudaDevice(HostDriver())
    found = device.empty(*expected.shape)
    device.pad(device.upload(image), found, left=left - 1, top=top - 1)
    assert np.array_equal(device.download(found), expected)


@settings(max_examples=150, deadline=None)
@given(
    seed=SEEDS,
    source=st.tuples(SIDES, SIDES),
    size=st.sampled_from([8, 16, 24, 33]),
    # of the image px to a patch px: of its own scale, of whole multiples, and any
    step=st.one_of(st.sampled_from([1.0, 2.0, 3.0]), st.floats(0.3, 5.0)),
    angle=ANGLES,
    fractions=st.lists(st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)), min_size=1, max_size=5),
)
def test_patches_are_the_same_to_one_level(
    seed: int,
    source: tuple[int, int],
    size: int,
    step: float,
    angle: float,
    fractions: list[tuple[float, float]],
) -> None:
    image = levels(seed, *source)
    centres = np.array(fractions) * (source[1], source[0])
    expected = np.empty((len(centres), size, size), np.uint8)
    CpuDevice().gather(image, centres, step * size, expected, angle)
    device = CudaDevice(HostDriver())
    found = device.empty(*expected.shape)
    device.gather(device.upload(image), centres, step * size, found, angle)
    apart = differences(device.download(found), expected)
    assert apart.max() <= 1
    if step != int(step) or angle:
        assert np.count_nonzero(apart) <= 2 + apart.size // 1000


@settings(max_examples=150, deadline=None)
@given(
    seed=SEEDS,
    source=st.tuples(SIDES, SIDES),
    target=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    angle=ANGLES,
    step=st.floats(0.2, 12.0),
    stretch=st.floats(0.7, 1.4),
    corner=st.tuples(st.floats(-200, 300), st.floats(-200, 300)),
)
def test_warped_images_are_the_same_to_one_level(
    seed: int,
    source: tuple[int, int],
    target: tuple[int, int],
    angle: float,
    step: float,
    stretch: float,
    corner: tuple[float, float],
) -> None:
    image, expected = levels(seed, *source), np.empty(target, np.uint8)
    cos, sin = step * math.cos(angle), step * math.sin(angle)
    image_from_target = np.array([[cos, -sin * stretch, corner[0]], [sin, cos * stretch, corner[1]], [0.0, 0.0, 1.0]])
    CpuDevice().warp(image, image_from_target, expected)
    device = CudaDevice(HostDriver())
    found = device.empty(*target)
    device.warp(device.upload(image), image_from_target, found)
    apart = differences(device.download(found), expected)
    assert apart.max() <= 1
    assert np.count_nonzero(apart) <= 2 + apart.size // 1000
