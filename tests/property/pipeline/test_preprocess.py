"""What lies at a place of the small and large image lies there in the frame: pictures and maps agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from pipeline import geometry
from pipeline.geometry import Region
from pipeline.pixels import mono8_frame
from pipeline.stages.crop import widened
from pipeline.stages.preprocess import Preprocess

SMALL_WH, LARGE_WH = (32, 24), (128, 96)


def ramp(width: int, height: int, *, along: int) -> NDArray[np.uint8]:
    """Grey levels that rise by one a pixel along x (0) or y (1), from 0 to at most 250."""
    return np.indices((height, width))[1 - along].clip(0, 250).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(0, 100),
    y=st.floats(0, 100),
    w=st.floats(5, 240),
    h=st.floats(5, 240),
    along=st.integers(0, 1),
)
def test_images_and_maps_agree_for_any_region(x: float, y: float, w: float, h: float, along: int) -> None:
    prepare = Preprocess((16, 12), (64, 48), CpuDevice())
    (part,) = prepare(mono8_frame(ramp(250, 250, along=along)), [Region(x, y, w, h)])
    for image, sensor_from in ((part.large, part.sensor_from_large), (part.small[..., 0], part.sensor_from_small)):
        rows, columns = np.indices(image.shape)
        sensor = geometry.apply(sensor_from, np.stack([columns, rows], axis=-1))[..., along]
        pixel = sensor_from[0, 0]  # in sensor px; half of it reaches out of the sensor at its rim
        inside = (sensor >= pixel) & (sensor <= 249 - pixel)
        errors = np.abs(image - sensor)[inside]
        assert errors.max(initial=0.0) <= 2.0  # levels, here px: half of one is rounded off at most four times
    assert np.allclose(part.sensor_from_large @ part.large_from_small, part.sensor_from_small)


@given(x=st.floats(-50, 50), y=st.floats(-50, 50), w=st.floats(1, 3000), h=st.floats(1, 3000))
def test_a_region_is_widened_about_its_centre_to_the_shape_of_the_images(
    x: float, y: float, w: float, h: float
) -> None:
    left, top, width, height = widened(Region(x, y, w, h), LARGE_WH)
    unit = 2 ** max(0, int(np.floor(np.log2(width / LARGE_WH[0]))))
    assert width >= w - 1e-6
    assert height >= h - 1e-6
    assert abs(width / height - LARGE_WH[0] / LARGE_WH[1]) <= 2 * unit / height * (width / height + 1)
    assert abs(left + width / 2 - (x + w / 2)) <= 0.5 + 1e-9
    assert abs(top + height / 2 - (y + h / 2)) <= 0.5 + 1e-9


def test_the_whole_sensor_is_taken_as_it_is() -> None:
    assert widened(Region(0, 0, 1280, 1024), (640, 512)) == (0, 0, 1280, 1024)
    assert widened(Region(0, 0, 640, 512), (640, 512)) == (0, 0, 640, 512)


def test_beyond_the_sensor_its_edge_repeats() -> None:
    image = ramp(400, 400, along=0)
    (part,) = Preprocess(SMALL_WH, LARGE_WH, CpuDevice())(mono8_frame(image), [Region(336, 100, 128, 96)])
    assert part.region == Region(336, 100, 128, 96)
    assert np.array_equal(part.large[:, :64], image[100:196, 336:400])
    assert (part.large[:, 64:] == image[100:196, 399:]).all()


@pytest.mark.parametrize("region", [Region(-900, 10, 128, 96), Region(5000, 5000, 10, 10)])
def test_a_region_far_outside_shows_the_nearest_pixels(region: Region) -> None:
    (part,) = Preprocess(SMALL_WH, LARGE_WH, CpuDevice())(mono8_frame(ramp(400, 400, along=0)), [region])
    assert len(np.unique(part.large)) == 1


def test_several_parts_have_images_of_their_own() -> None:
    prepare = Preprocess(SMALL_WH, LARGE_WH, CpuDevice())
    image = ramp(1000, 400, along=0)
    first, second = prepare(mono8_frame(image), [Region(0, 0, 128, 96), Region(512, 0, 128, 96)])
    assert np.array_equal(first.large, image[:96, :128])
    assert np.array_equal(second.large, image[:96, 512:640])
    assert not np.shares_memory(first.small, second.small)
