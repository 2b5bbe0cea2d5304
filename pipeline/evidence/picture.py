"""Frames as PNG files, and back: lossless, so that what is stored can be inspected again with the same outcome.

Mono8 is stored as it is. Bayer is stored as the mosaic that the camera gave, in grey: colours would have to be guessed, and
could not be taken back. Mono10p and Mono12p are unpacked to 16 bits with the value in the upper bits, so that any viewer
shows the right brightness. RGB8 and its kin are stored in colour; of RGBa8 and BGRa8 the fourth channel, which no camera
uses and which would make the picture transparent, is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame, PixelFormat

# One filter, run lengths and Huffman codes: what OpenCV does by itself, named so that it stays so. Level 1 alone takes twice
# the time on pictures with sensor noise, for more bytes.
_PARAMETERS = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB),
)


@dataclass(frozen=True, slots=True)
class _Form:
    """How a pixel format is stored: raw bytes to the image (H, W) or (H, W, 3) in OpenCV's order, and back."""

    store: Callable[[NDArray[np.uint8], int, int], NDArray[Any]]
    restore: Callable[[NDArray[Any]], NDArray[np.uint8]]


def encode(frame: Frame) -> NDArray[np.uint8]:
    """The bytes of a PNG file, uint8 (N,)."""
    info = frame.info
    raw = np.frombuffer(frame.payload, np.uint8, count=info.payload_bytes)
    image = _FORMS[info.pixel_format].store(raw, info.width, info.height)
    return np.asarray(cv2.imencode(".png", image, _PARAMETERS)[1], np.uint8)


def decode(png: bytes, pixel_format: PixelFormat, width: int, height: int) -> bytes:
    """The payload of the frame that was stored: for packed formats with zeros behind the last pixel, for RGBa8 with 255.

    Raises:
        ValueError: `png` is no picture, or not one of a frame of this format and size.
    """
    try:
        image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) if png else None
    except cv2.error:
        image = None
    if image is None:
        raise ValueError("is not a picture")
    dtype = np.uint16 if pixel_format in _PACKED else np.uint8
    shape = (height, width, 3) if pixel_format in _COLOURS else (height, width)
    if image.dtype != dtype or image.shape != shape:
        raise ValueError(f"is no stored frame of {pixel_format.name}, {width} x {height}")
    return _FORMS[pixel_format].restore(np.asarray(image)).tobytes()


def _plain(raw: NDArray[np.uint8], width: int, height: int) -> NDArray[Any]:
    return raw.reshape(height, width)


def _packed(bits: int) -> _Form:
    """PFNC Mono10p, Mono12p: pixels follow each other bit by bit, least significant first, also across line ends."""
    group, size = (4, 5) if bits == 10 else (2, 3)  # so many pixels lie in so many bytes

    def store(raw: NDArray[np.uint8], width: int, height: int) -> NDArray[Any]:
        count = width * height
        groups = -(-count // group)
        whole = np.zeros((groups, size), np.uint8)
        whole.reshape(-1)[: raw.size] = raw
        pixels = np.empty((groups, group), np.uint16)
        for place in range(group):
            byte, shift = divmod(place * bits, 8)
            word = whole[:, byte].astype(np.uint16) | whole[:, byte + 1].astype(np.uint16) << 8
            pixels[:, place] = word >> shift << (16 - bits)
        return pixels.reshape(-1)[:count].reshape(height, width)

    def restore(image: NDArray[Any]) -> NDArray[np.uint8]:
        count = image.size
        pixels = np.zeros((-(-count // group), group), np.uint16)
        pixels.reshape(-1)[:count] = image.reshape(-1) >> (16 - bits)
        raw = np.zeros((len(pixels), size), np.uint8)
        for place in range(group):
            byte, shift = divmod(place * bits, 8)
            word = pixels[:, place] << shift
            raw[:, byte] |= (word & 0xFF).astype(np.uint8)
            raw[:, byte + 1] |= (word >> 8).astype(np.uint8)
        return raw.reshape(-1)[: (count * bits + 7) // 8]

    return _Form(store, restore)


def _coloured(channels: int, to_bgr: int | None, from_bgr: int | None) -> _Form:
    def store(raw: NDArray[np.uint8], width: int, height: int) -> NDArray[Any]:
        image = raw.reshape(height, width, channels)
        return image if to_bgr is None else cv2.cvtColor(image, to_bgr)

    def restore(image: NDArray[Any]) -> NDArray[np.uint8]:
        return np.asarray(image if from_bgr is None else cv2.cvtColor(image, from_bgr), np.uint8)

    return _Form(store, restore)


_GREY = _Form(_plain, lambda image: np.asarray(image, np.uint8))
_PACKED = frozenset({PixelFormat.Mono10p, PixelFormat.Mono12p})
_COLOURS = frozenset({PixelFormat.RGB8, PixelFormat.BGR8, PixelFormat.RGBa8, PixelFormat.BGRa8})
_FORMS: dict[PixelFormat, _Form] = {
    PixelFormat.Mono8: _GREY,
    PixelFormat.Mono10p: _packed(10),
    PixelFormat.Mono12p: _packed(12),
    PixelFormat.BayerRG8: _GREY,
    PixelFormat.RGB8: _coloured(3, cv2.COLOR_RGB2BGR, cv2.COLOR_BGR2RGB),
    PixelFormat.BGR8: _coloured(3, None, None),
    PixelFormat.RGBa8: _coloured(4, cv2.COLOR_RGBA2BGR, cv2.COLOR_BGR2RGBA),
    PixelFormat.BGRa8: _coloured(4, cv2.COLOR_BGRA2BGR, cv2.COLOR_BGR2BGRA),
}
