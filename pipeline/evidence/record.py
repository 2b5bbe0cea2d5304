"""The text beside a stored image: whose frame it is, and the result that was published of it."""

from pathlib import Path
from typing import Literal

import msgspec

from pipeline.clock import monotonic_ns
from pipeline.errors import DataError
from pipeline.evidence import picture
from pipeline.evidence.image_name import IMAGE_SUFFIX, TEXT_SUFFIX
from pipeline.frame import Frame, FrameInfo, PixelFormat

LARGEST_TEXT_BYTES = 16_000_000
LARGEST_IMAGE_BYTES = 2_000_000_000


class StoredFrame(msgspec.Struct, frozen=True):
    """The identity of a frame, as in `pipeline.frame.FrameInfo`; the form of its picture follows from `pixel_format`."""

    width: int
    height: int
    pixel_format: str
    frame_id: int
    trigger_number: int | None
    exposure_us: float | None
    camera_ns: int | None
    received_utc_ns: int


class Record(msgspec.Struct, frozen=True):
    """A stored image's text. `result` is the published JSON, byte for byte; its `configuration_id` names the recipe."""

    format: Literal[1]
    view: str
    camera: str
    frame: StoredFrame
    result: msgspec.Raw


def text_of(view: str, camera: str, info: FrameInfo, result: bytes) -> bytes:
    """The JSON to be written beside the image."""
    frame = StoredFrame(
        width=info.width,
        height=info.height,
        pixel_format=info.pixel_format.name,
        frame_id=info.frame_id,
        trigger_number=info.trigger_number,
        exposure_us=info.exposure_us,
        camera_ns=info.camera_ns,
        received_utc_ns=info.received_utc_ns,
    )
    return msgspec.json.encode(Record(1, view, camera, frame, msgspec.Raw(result)))


def load(image: Path) -> tuple[Frame, Record]:
    """A stored frame as the camera gave it, and its record, for inspecting it again.

    Raises:
        DataError: a file is missing, damaged or not of this kind.
    """
    return decode(*read(image), image)


def read(image: Path) -> tuple[bytes, bytes]:
    """The bytes of an image and of its text. Raises DataError."""
    return _read(image, LARGEST_IMAGE_BYTES), _read(text_path(image), LARGEST_TEXT_BYTES)


def read_text(image: Path) -> Record:
    """The record of an image, without looking at the image. Raises DataError."""
    return decode_text(_read(text_path(image), LARGEST_TEXT_BYTES), image)


def text_path(image: Path) -> Path:
    """Where the text of an image lies."""
    return image.with_suffix(TEXT_SUFFIX)


def decode(png: bytes, text: bytes, image: Path) -> tuple[Frame, Record]:
    """As `load`, of what was read already; `image` is what the file is called in messages. Raises DataError."""
    record = decode_text(text, image)
    said = record.frame
    try:
        pixel_format = PixelFormat[said.pixel_format]
    except KeyError as error:
        raise DataError(f"{error} is no pixel format", where=f"{text_path(image)}: frame.pixel_format") from error
    try:
        payload = picture.decode(png, pixel_format, said.width, said.height)
    except ValueError as error:
        raise DataError(str(error), where=str(image), allowed=f"*{IMAGE_SUFFIX} as stored by datumd") from error
    info = FrameInfo(
        width=said.width,
        height=said.height,
        pixel_format=pixel_format,
        frame_id=said.frame_id,
        trigger_number=said.trigger_number,
        exposure_us=said.exposure_us,
        camera_ns=said.camera_ns,
        received_monotonic_ns=monotonic_ns(),
        received_utc_ns=said.received_utc_ns,
    )
    return Frame(info, memoryview(payload)), record


def decode_text(text: bytes, image: Path) -> Record:
    """The record in the bytes of an image's text. Raises DataError."""
    try:
        return msgspec.json.decode(text, type=Record)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DataError(f"is no record of a stored image ({error})", where=str(text_path(image))) from error


def _read(path: Path, largest_bytes: int) -> bytes:
    try:
        if path.stat().st_size > largest_bytes:
            raise DataError("is too large", where=str(path), allowed=f"at most {largest_bytes} bytes")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=str(path)) from error
