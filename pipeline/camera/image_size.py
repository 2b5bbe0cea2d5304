"""Width and height of an image file from its first bytes, without decoding it."""

import struct
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import CameraError

JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF markers (ITU T.81 table B.1)
TIFF_WIDTH, TIFF_HEIGHT = 256, 257


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in px of a png, jpg, bmp or tif as stored; a rotation noted in EXIF is not applied.

    Raises:
        CameraError: unreadable, or none of these formats.
    """
    try:
        with path.open("rb") as file:
            size = _size(file)
    except OSError as problem:
        raise CameraError(f"cannot be read ({problem.strerror})", where=str(path)) from None
    except (struct.error, IndexError):
        size = None
    if size is None or min(size) < 1:
        raise CameraError("is not an image", where=str(path), allowed="png, jpg, bmp, tif")
    return size


def _size(file: BinaryIO) -> tuple[int, int] | None:
    head = file.read(26)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack(">II", head[16:24])
    elif head.startswith(b"BM"):
        width, height = struct.unpack("<ii", head[18:26])
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
    while True:
        marker, kind = struct.unpack("BB", file.read(2))
        if marker != 0xFF:
            return None
        if kind == 0xFF:  # a fill byte
            file.seek(-1, 1)
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if kind in JPEG_FRAMES:
            height, width = struct.unpack(">xHH", file.read(5))
            return width, height
        file.seek(length - 2, 1)


def _tiff(file: BinaryIO, order: str) -> tuple[int, int] | None:
    file.seek(4)
    (offset,) = struct.unpack(order + "I", file.read(4))
    file.seek(offset)
    (count,) = struct.unpack(order + "H", file.read(2))
    found: dict[int, int] = {}
    for _ in range(count):
        entry = file.read(12)
        tag, kind = struct.unpack(order + "HH", entry[:4])
        found[tag] = struct.unpack(order + ("H" if kind == 3 else "I"), entry[8 : 10 if kind == 3 else 12])[0]
    return (found[TIFF_WIDTH], found[TIFF_HEIGHT]) if {TIFF_WIDTH, TIFF_HEIGHT} <= found.keys() else None
