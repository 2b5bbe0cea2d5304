"""How a JPEG says it is to be turned: labelling tools turn it before it is labelled, the daemon never does."""

from __future__ import annotations

import struct
from pathlib import Path

from pipeline import plain_file
from pipeline.errors import DataError

UPRIGHT = 1
_HEAD_BYTES = 1 << 18  # Exif stands in the first segments, of 64 kB at most each
_TAG = 0x0112  # Orientation (Exif 2.3, 4.6.4)


def exif_orientation(path: Path) -> int:
    """The Exif orientation of an image file, 1 to 8; 1, upright, where the file says nothing of it or is no JPEG.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with plain_file.open_plain(path) as file:
            head = file.read(_HEAD_BYTES)
    except (plain_file.NotPlainError, OSError) as problem:
        raise DataError(f"cannot be read ({problem})", where=str(path)) from None
    try:
        found = _tag(head) if head.startswith(b"\xff\xd8") else None
    except struct.error:
        found = None
    return found if found is not None and UPRIGHT <= found <= 8 else UPRIGHT


def refuse_turned(path: Path) -> None:
    """Raise DataError for an image that a labelling tool shows turned: its labels are not those of the stored pixels."""
    found = exif_orientation(path)
    if found != UPRIGHT:
        raise DataError(
            f"says that it is to be turned (Exif orientation {found}): labelling tools turn it, datumd takes pixels as stored",
            where=str(path),
            allowed="upright images",
            next_command="turn the pixels (jpegtran, mogrify -auto-orient) before labelling",
        )


def _tag(jpeg: bytes) -> int | None:
    place = 2
    while jpeg[place : place + 1] == b"\xff":
        marker, length = struct.unpack_from(">BH", jpeg, place + 1)
        body = jpeg[place + 4 : place + 2 + length]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            return _in_tiff(body[6:])
        if marker == 0xDA:  # the pixels begin
            return None
        place += 2 + length
    return None


def _in_tiff(tiff: bytes) -> int | None:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return None
    (place,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, place)
    for entry in range(count):
        tag, _type, _count, value = struct.unpack_from(order + "HHIH", tiff, place + 2 + 12 * entry)
        if tag == _TAG:
            return int(value)
    return None
