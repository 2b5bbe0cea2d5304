"""Grey levels of an area are those of the whole frame, for every pixel format."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.frame import Frame, FrameInfo, PixelFormat
from pipeline.pixels import grey8, mono8_frame, whole_grey8


def frame_of(pixel_format: PixelFormat, width: int, height: int, payload: bytes) -> Frame:
    return Frame(FrameInfo(width, height, pixel_format, 0, None, None, None, 0, 0), memoryview(payload))


def packed(levels: NDArray[np.uint16], bits: int) -> bytes:
    """PFNC: pixel after pixel, least significant bit first, as one long number."""
    number = sum(int(level) << (bits * place) for place, level in enumerate(levels.ravel()))
    return number.to_bytes((levels.size * bits + 7) // 8, "little")


@st.composite
def areas(draw: st.DrawFn) -> tuple[int, int, int, int, int, int]:
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 12))
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return width, height, x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y))


@pytest.mark.parametrize(("pixel_format", "bits"), [(PixelFormat.Mono10p, 10), (PixelFormat.Mono12p, 12)])
@given(area=areas(), seed=st.integers(0, 100))
def test_packed_pixels_keep_their_upper_eight_bits(
    pixel_format: PixelFormat, bits: int, area: tuple[int, int, int, int, int, int], seed: int
) -> None:
    width, height, x, y, w, h = area
    levels = np.random.default_rng(seed).integers(0, 1 << bits, (height, width), np.uint16)
    frame = frame_of(pixel_format, width, height, packed(levels, bits))
    expected = (levels >> (bits - 8)).astype(np.uint8)[y : y + h, x : x + w]
    assert np.array_equal(grey8(frame, x, y, w, h), expected)


@given(area=areas(), seed=st.integers(0, 100))
def test_a_bayer_crop_shows_what_the_whole_frame_shows(area: tuple[int, int, int, int, int, int], seed: int) -> None:
    width, height, x, y, w, h = area
    width, height = width + 6, height + 6
    raw = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    frame = frame_of(PixelFormat.BayerRG8, width, height, raw.tobytes())
    inner = (x + 2, y + 2, w, h)  # at the rim of the sensor a demosaic repeats its neighbours
    whole = whole_grey8(frame)
    assert np.array_equal(grey8(frame, *inner), whole[y + 2 : y + 2 + h, x + 2 : x + 2 + w])


def test_bayer_colours_are_not_changed_over() -> None:
    mosaic = np.zeros((8, 8), np.uint8)
    mosaic[0::2, 0::2] = 200  # RG: red comes first
    assert abs(int(whole_grey8(frame_of(PixelFormat.BayerRG8, 8, 8, mosaic.tobytes()))[4, 4]) - 0.299 * 200) <= 1


@pytest.mark.parametrize(
    ("pixel_format", "order", "channels"),
    [
        (PixelFormat.RGB8, "RGB", 3),
        (PixelFormat.BGR8, "BGR", 3),
        (PixelFormat.RGBa8, "RGB", 4),
        (PixelFormat.BGRa8, "BGR", 4),
    ],
)
def test_colours_are_weighted_by_their_own_weights(pixel_format: PixelFormat, order: str, channels: int) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (6, 9, channels), np.uint8)
    weights = {"R": 0.299, "G": 0.587, "B": 0.114}
    expected = sum(weights[name] * colours[..., place] for place, name in enumerate(order))
    grey = grey8(frame_of(pixel_format, 9, 6, colours.tobytes()), 2, 1, 5, 4)
    assert np.abs(grey - expected[1:5, 2:7]).max() <= 1.0


def test_mono8_is_a_view_of_the_frame() -> None:
    image = np.arange(48, dtype=np.uint8).reshape(6, 8)
    frame = mono8_frame(image)
    area = grey8(frame, 2, 1, 3, 4)
    assert np.array_equal(area, image[1:5, 2:5])
    assert np.shares_memory(area, np.frombuffer(frame.payload, np.uint8))
    assert cv2.mean(area)[0] == pytest.approx(area.mean())


@pytest.mark.parametrize("area", [(-1, 0, 2, 2), (0, 0, 9, 2), (7, 0, 2, 2), (0, 5, 2, 2), (0, 0, 0, 2)])
def test_an_area_out_of_the_frame_is_refused(area: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="reaches out of a frame of 8 x 6"):
        grey8(mono8_frame(np.zeros((6, 8), np.uint8)), *area)


def test_a_payload_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="buffer is smaller"):
        whole_grey8(frame_of(PixelFormat.Mono8, 8, 6, bytes(47)))
