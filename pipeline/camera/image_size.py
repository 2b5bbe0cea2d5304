"""Width and height of an image file from its first bytes, without decoding it."""

import struct
from pathlib import Path
from typing import BinaryIO

from pipeline import plain_file
from pipeline.errors import CameraError

LARGEST_PIXELS = 1 << 28  # 16384 x 16384: a small file may claim to be much more, and would fill the memory
MOST_SEGMENTS = 10_000  # before the size in a JPEG
JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF markers (ITU T.81 table B.1)
JPEG_BARE = {0x00, 0x01, *range(0xD0, 0xDB)}  # markers without a length, and the start of the pixels
TIFF_WIDTH, TIFF_HEIGHT = 256, 257
TIFF_SHORT, TIFF_LONG = 3, 4
BMP_OS2_HEADER = 12


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in px of a png, jpg, bmp or tif as stored; a rotation noted in EXIF is not applied.

    Raises:
        CameraError: unreadable, none of these formats, or of more than LARGEST_PIXELS.
    """
    try:
        with plain_file.open_plain(path) as file:
            return size_in(file, path)
    except plain_file.NotPlainError as problem:
        raise CameraError(problem.what, where=str(path)) from None
    except OSError as problem:
        raise CameraError(f"cannot be read ({problem.strerror})", where=str(path)) from None


def size_in(file: BinaryIO, path: Path) -> tuple[int, int]:
    """As `image_size`, of an open file at its beginning. Where decoders read a file differently, it is refused."""
    try:
        size = _size(file)
    except (struct.error, IndexError, ValueError, OSError):
        size = None
    if size is None or min(size) < 1:
        raise CameraError("is not an image", where=str(path), allowed="png, jpg, bmp, tif")
    if size[0] * size[1] > LARGEST_PIXELS:
        raise CameraError(f"is {size[0]} x {size[1]}", where=str(path), allowed=f"{LARGEST_PIXELS} px at most")
    return size


def _size(file: BinaryIO) -> tuple[int, int] | None:
    head = file.read(26)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        if head[12:16] != b"IHDR":
            return None
        width, height = struct.unpack(">II", head[16:24])
    elif head.startswith(b"BM"):
        (header,) = struct.unpack("<I", head[14:18])
        width, height = (
            struct.unpack("<HH", head[18:22]) if header == BMP_OS2_HEADER else struct.unpack("<ii", head[18:26])
        )
        height = abs(height)  # negative: rows run from the top
    elif head.startswith(b"\xff\xd8"):
        return _jpeg(file)
    elif head[:4] in (b"II*\0", b"MM\0*"):
        return _tiff(file, "<" if head.startswith(b"II") else ">")
    else:
        return None
    return width, height


def _jpeg(file: BinaryIO) -> tuple[int, int] | None:
    file.seek(2)
    for _ in range(MOST_SEGMENTS):
        marker, kind = struct.unpack("BB", file.read(2))
        if marker != 0xFF or kind in JPEG_BARE:
            return None
        if kind == 0xFF:  # a fill byte
            file.seek(-1, 1)
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if length < 2:
            return None
        if kind in JPEG_FRAMES:
            height, width = struct.unpack(">xHH", file.read(5))
            return width, height
        file.seek(length - 2, 1)
    return None


def _tiff(file: BinaryIO, order: str) -> tuple[int, int] | None:
    file.seek(4)
    (offset,) = struct.unpack(order + "I", file.read(4))
    file.seek(offset)
    (count,) = struct.unpack(order + "H", file.read(2))
    found: dict[int, int] = {}
    for _ in range(count):
        entry = file.read(12)
        tag, kind = struct.unpack(order + "HH", entry[:4])
        if tag in (TIFF_WIDTH, TIFF_HEIGHT):
            if tag in found or kind not in (TIFF_SHORT, TIFF_LONG):
                return None
            is_short = kind == TIFF_SHORT
            found[tag] = struct.unpack(order + ("H" if is_short else "I"), entry[8 : 10 if is_short else 12])[0]
    return (found[TIFF_WIDTH], found[TIFF_HEIGHT]) if {TIFF_WIDTH, TIFF_HEIGHT} <= found.keys() else None
