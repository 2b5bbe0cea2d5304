"""A GPU's images are those of the processor: the text of the kernels, run here, beside OpenCV."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.devices.cuda import CudaDevice
from tests.device_pairs import (
    GATHERINGS,
    PADDINGS,
    RESIZINGS,
    SEEDS,
    SHARE_APART,
    STEPS_AND_ANGLES,
    WARPINGS,
    Gathering,
    Padding,
    Resizing,
    Warping,
    share_apart,
)
from tests.host_driver import HostDriver

pytestmark = pytest.mark.needs_debian("g++", program="g++")


def device() -> CudaDevice:
    return CudaDevice(HostDriver())


@settings(max_examples=120, deadline=None)
@given(RESIZINGS)
def test_resized_images_are_the_same(resizing: Resizing) -> None:
    resizing.check(device())


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
    Resizing(seed, (height, target[1] * 2**halvings + odd), target).check(device())


@settings(max_examples=30, deadline=None)
@given(PADDINGS)
def test_padded_images_are_the_same(padding: Padding) -> None:
    padding.check(device())


@settings(max_examples=120, deadline=None)
@given(GATHERINGS)
def test_patches_are_the_same_to_one_level(gathering: Gathering) -> None:
    gathering.check(device())


@settings(max_examples=120, deadline=None)
@given(WARPINGS)
def test_warped_images_are_the_same_to_one_level(warping: Warping) -> None:
    warping.check(device())


@pytest.mark.parametrize(("step", "angle"), STEPS_AND_ANGLES)
def test_hardly_any_pixel_is_a_level_apart(step: float, angle: float) -> None:
    assert max(share_apart(device(), step, angle)) <= SHARE_APART
