"""Stored pictures: every payload of every format comes back."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evidence.picture import decode, encode
from pipeline.frame import Frame, FrameInfo, PixelFormat
from pipeline.pixels import whole_grey8


def frame_of(pixel_format: PixelFormat, width: int, height: int, seed: int) -> Frame:
    """Random bytes; where the format has bits that mean nothing they are as `decode` gives them."""
    count = pixel_format.payload_bytes(width, height)
    raw = np.random.default_rng(seed).integers(0, 256, count, np.uint8)
    if spare := -width * height * pixel_format.bits_per_pixel % 8:
        raw[-1] &= 0xFF >> spare
    if pixel_format in (PixelFormat.RGBa8, PixelFormat.BGRa8):
        raw[3::4] = 255
    info = FrameInfo(width, height, pixel_format, 1, None, None, None, 0, 0)
    return Frame(info, memoryview(raw.tobytes()))


@given(st.sampled_from(PixelFormat), st.integers(1, 37), st.integers(1, 23), st.integers(0, 2**32))
def test_every_payload_comes_back(pixel_format: PixelFormat, width: int, height: int, seed: int) -> None:
    frame = frame_of(pixel_format, width, height, seed)
    assert decode(encode(frame).tobytes(), pixel_format, width, height) == bytes(frame.payload)


@given(st.sampled_from(PixelFormat), st.integers(2, 9), st.integers(2, 9), st.integers(0, 2**32))
def test_any_viewer_shows_the_brightness_that_was_inspected(
    pixel_format: PixelFormat, width: int, height: int, seed: int
) -> None:
    frame = frame_of(pixel_format, width, height, seed)
    if pixel_format is PixelFormat.BayerRG8:
        return  # is stored as the mosaic
    seen = cv2.imdecode(encode(frame), cv2.IMREAD_GRAYSCALE)
    assert seen is not None
    # The decoder's weights of colours are libpng's: rounded otherwise than those of cvtColor.
    tolerance = 1 if pixel_format.bits_per_pixel >= 24 else 0
    assert np.abs(seen.astype(int) - whole_grey8(frame)).max() <= tolerance
