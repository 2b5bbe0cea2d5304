"""A GPU's images are those of the processor: the text of the kernels, run here, beside OpenCV."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.devices.cuda import CudaDevice
from tests.device_pairs import (
    BORDERS,
    MAPS,
    PATCHES,
    SEEDS,
    SIZES,
    check_gather,
    check_pad,
    check_resize,
    check_warp,
    levels,
    share_apart,
)
from tests.host_driver import HostDriver

pytestmark = pytest.mark.needs_debian("g++", program="g++")


def device() -> CudaDevice:
    return CudaDevice(HostDriver())


@settings(max_examples=120, deadline=None)
@given(**SIZES)
def test_resized_images_are_the_same(seed: int, source: tuple[int, int], target: tuple[int, int]) -> None:
    check_resize(device(), levels(seed, *source), target)


@settings(max_examples=50, deadline=None)
@given(
    seed=SEEDS,
    target=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    halvings=st.integers(0, 5),
    odd=st.integers(0, 3),
)
def test_images_of_many_times_the_size_are_the_same(
    seed: int, target: tuple[int, int], halvings: int, odd: int
) -> None:
    height = target[0] * 2**halvings + odd * 2 ** min(halvings, 2)
    check_resize(device(), levels(seed, height, target[1] * 2**halvings + odd), target)


@settings(max_examples=30, deadline=None)
@given(**BORDERS)
def test_padded_images_are_the_same(
    seed: int, source: tuple[int, int], left: int, top: int, right: int, bottom: int
) -> None:
    check_pad(device(), levels(seed, *source), left - 1, top - 1, right - 1, bottom - 1)


@settings(max_examples=120, deadline=None)
@given(**PATCHES)
def test_patches_are_the_same_to_one_level(
    seed: int, source: tuple[int, int], size: int, step: float, angle: float, fractions: list[tuple[float, float]]
) -> None:
    check_gather(device(), levels(seed, *source), size, step, angle, fractions)


@settings(max_examples=120, deadline=None)
@given(**MAPS)
def test_warped_images_are_the_same_to_one_level(
    seed: int,
    source: tuple[int, int],
    target: tuple[int, int],
    angle: float,
    step: float,
    stretch: float,
    corner: tuple[float, float],
) -> None:
    check_warp(device(), levels(seed, *source), target, angle, step, stretch, corner)


@pytest.mark.parametrize(
    ("step", "angle", "share"), [(1.3, 0.2, 0.001), (2.7, -1.0, 0.001), (1.5, 0.0, 0.001), (3.0, 0.0, 0.001)]
)
def test_hardly_any_pixel_is_a_level_apart(step: float, angle: float, share: float) -> None:
    assert max(share_apart(device(), step, angle)) <= share
