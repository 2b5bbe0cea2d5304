"""From raw camera bytes to 8-bit grey, of the wanted area only."""

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.clock import monotonic_ns, utc_ns
from pipeline.frame import Frame, FrameInfo, PixelFormat

Image = NDArray[np.uint8]


class _Area(NamedTuple):
    x: int
    y: int
    w: int
    h: int

    @property
    def rows(self) -> slice:
        return slice(self.y, self.y + self.h)

    @property
    def columns(self) -> slice:
        return slice(self.x, self.x + self.w)


_Reader = Callable[[Image, FrameInfo, _Area], Image]


def grey8(frame: Frame, x: int, y: int, w: int, h: int) -> Image:
    """Grey levels of w x h pixels from column x and row y on.

    Colours are weighted as in ITU-R BT.601; packed formats keep their upper 8 bits. Pixels outside the wanted area are
    not touched, but for a margin of two around a Bayer crop: the values are those of the whole frame.

    Returns:
        uint8 (h, w); for Mono8 a view of the frame, else a new array.

    Raises:
        ValueError: the area is empty or reaches out of the frame, or the payload is too short.
    """
    info = frame.info
    if w < 1 or h < 1 or x < 0 or y < 0 or x + w > info.width or y + h > info.height:
        raise ValueError(f"area {(x, y, w, h)} reaches out of a frame of {info.width} x {info.height}")
    raw = np.frombuffer(frame.payload, np.uint8, count=info.payload_bytes)
    return _READERS[info.pixel_format](raw, info, _Area(x, y, w, h))


def whole_grey8(frame: Frame) -> Image:
    """Grey levels of the whole frame, as grey8."""
    return grey8(frame, 0, 0, frame.info.width, frame.info.height)


def mono8_frame(grey: Image) -> Frame:
    """A frame around an image that came from no camera (a file, a renderer). `grey` is uint8 (h, w)."""
    height, width = grey.shape
    info = FrameInfo(width, height, PixelFormat.Mono8, 0, None, None, None, monotonic_ns(), utc_ns())
    return Frame(info, np.ascontiguousarray(grey).data.cast("B"))


def _mono8(raw: Image, info: FrameInfo, area: _Area) -> Image:
    return raw.reshape(info.height, info.width)[area.rows, area.columns]


def _packed(raw: Image, info: FrameInfo, area: _Area) -> Image:
    """PFNC Mono10p, Mono12p: pixels follow each other bit by bit, least significant first, also across line ends.

    The upper 8 bits of pixel i start at bit `i * bits + bits - 8`: in one byte or in two that follow each other.
    """
    bits = info.pixel_format.bits_per_pixel
    group = 8 // np.gcd(8, bits)  # so many pixels begin and end on a byte
    grey = np.empty((area.h, area.w), np.uint8)
    if info.width % group:  # every line begins at another bit
        return _packed_any_width(raw, info.width, bits, area, grey)
    lines = raw.reshape(info.height, -1)[area.rows]
    for column in range(min(group, area.w)):
        byte, shift = divmod((area.x + column) * bits + bits - 8, 8)
        wide = grey[:, column::group]
        step = group * bits // 8
        low = lines[:, byte : byte + step * (wide.shape[1] - 1) + 1 : step]
        if shift == 0:
            wide[...] = low
        else:
            high = lines[:, byte + 1 : byte + step * (wide.shape[1] - 1) + 2 : step]
            np.bitwise_or(low >> shift, high << (8 - shift), out=wide)
    return grey


def _packed_any_width(raw: Image, width: int, bits: int, area: _Area, grey: Image) -> Image:
    rows, columns = np.indices(grey.shape)
    byte, shift = np.divmod(((rows + area.y) * width + columns + area.x) * bits + bits - 8, 8)
    word = raw[byte].astype(np.uint16) | raw[np.minimum(byte + 1, raw.size - 1)].astype(np.uint16) << 8
    grey[...] = (word >> shift.astype(np.uint16)) & 0xFF
    return grey


def _bayer(raw: Image, info: FrameInfo, area: _Area) -> Image:
    x, y, w, h = area
    left, top = max(0, (x - 2) & ~1), max(0, (y - 2) & ~1)  # an even origin keeps the colours in place
    right, bottom = min(info.width, x + w + 2), min(info.height, y + h + 2)
    mosaic = raw.reshape(info.height, info.width)[top:bottom, left:right]
    # OpenCV names a pattern by its second row: its BG is the camera's RG.
    return _image(cv2.cvtColor(mosaic, cv2.COLOR_BayerBG2GRAY)[y - top : y - top + h, x - left : x - left + w])


def _image(pixels: NDArray[Any]) -> Image:
    """The type checker knows OpenCV's results as arrays of any kind."""
    return pixels.astype(np.uint8, copy=False)


def _colour(conversion: int, channels: int) -> _Reader:
    def convert(raw: Image, info: FrameInfo, area: _Area) -> Image:
        colours = raw.reshape(info.height, info.width, channels)[area.rows, area.columns]
        return _image(cv2.cvtColor(colours, conversion))

    return convert


_READERS: dict[PixelFormat, _Reader] = {
    PixelFormat.Mono8: _mono8,
    PixelFormat.Mono10p: _packed,
    PixelFormat.Mono12p: _packed,
    PixelFormat.BayerRG8: _bayer,
    PixelFormat.RGB8: _colour(cv2.COLOR_RGB2GRAY, 3),
    PixelFormat.BGR8: _colour(cv2.COLOR_BGR2GRAY, 3),
    PixelFormat.RGBa8: _colour(cv2.COLOR_RGBA2GRAY, 4),
    PixelFormat.BGRa8: _colour(cv2.COLOR_BGRA2GRAY, 4),
}
