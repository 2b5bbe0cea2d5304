"""One frame of a camera as an image file."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.camera.source import Camera, CameraInfo, Loss
from pipeline.clock import monotonic_ns
from pipeline.errors import CameraError
from pipeline.frame import Frame, FrameInfo, PixelFormat
from pipeline.pixels import whole_grey8

POLL_S = 0.1
SUFFIXES = (".png", ".tif", ".tiff", ".bmp")
"""Formats that keep every grey level."""
_COLOURS = {
    PixelFormat.BayerRG8: (1, cv2.COLOR_BayerRGGB2BGR),
    PixelFormat.RGB8: (3, cv2.COLOR_RGB2BGR),
    PixelFormat.BGR8: (3, None),
    PixelFormat.RGBa8: (4, cv2.COLOR_RGBA2BGR),
    PixelFormat.BGRa8: (4, cv2.COLOR_BGRA2BGR),
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A frame, the camera that gave it, and what was lost while waiting for it."""

    camera: CameraInfo
    frame: Frame
    losses: tuple[Loss, ...]

    @property
    def mean_grey(self) -> float:
        """Mean grey level, 0 to 255."""
        return float(whole_grey8(self.frame).mean())

    def picture(self) -> NDArray[np.uint8]:
        """Grey (H, W) for grey formats, of 8 bits; BGR (H, W, 3) for colour."""
        return picture_of(self.frame)

    def save(self, path: Path) -> None:
        """Write the picture in the format of the path's suffix. Raises CameraError where it cannot be written."""
        try:
            encoded = cv2.imencode(path.suffix.lower(), self.picture())[1]
            path.write_bytes(encoded.tobytes())
        except cv2.error:
            raise CameraError("cannot be encoded", where=str(path), allowed=", ".join(SUFFIXES)) from None
        except OSError as problem:
            raise CameraError(f"cannot be written ({problem.strerror})", where=str(path)) from None


def picture_of(frame: Frame) -> NDArray[np.uint8]:
    """Grey (H, W) for grey formats, of 8 bits; BGR (H, W, 3) for colour."""
    info = frame.info
    if info.pixel_format not in _COLOURS:
        return whole_grey8(frame)
    channels, code = _COLOURS[info.pixel_format]
    shape = (info.height, info.width) if channels == 1 else (info.height, info.width, channels)
    raw = np.frombuffer(frame.payload, np.uint8, info.payload_bytes).reshape(shape)
    return raw if code is None else np.asarray(cv2.cvtColor(raw, code), np.uint8)


def take(camera: Camera, timeout_s: float, where: str) -> Snapshot:
    """Connect, let one frame come (by a software trigger if the camera takes that) and disconnect.

    Raises:
        CameraError: wrong set-up, or no frame in time.
        CameraLost: the camera went away.
    """
    try:
        info = camera.connect()
        payload = memoryview(bytearray(info.payload_bytes))
        camera.start()
        with suppress(CameraError):  # it waits for the line, or runs free
            camera.trigger_software()
        snapshot = _wait(camera, info, payload, timeout_s)
        camera.stop()
    finally:
        camera.disconnect()
    if snapshot is None:
        raise CameraError(
            f"gave no frame in {timeout_s:g} s",
            where=where,
            allowed="a camera that is triggered, or runs free (TriggerMode = Off)",
            next_command="the same with a longer --timeout while the line runs",
        )
    return snapshot


def _wait(camera: Camera, info: CameraInfo, payload: memoryview, timeout_s: float) -> Snapshot | None:
    losses: list[Loss] = []
    until_ns = monotonic_ns() + int(timeout_s * 1e9)
    while monotonic_ns() < until_ns and not camera.exhausted:
        outcome = camera.grab_into(payload, POLL_S)
        if isinstance(outcome, FrameInfo):
            return Snapshot(info, Frame(outcome, payload), tuple(losses))
        if isinstance(outcome, Loss):
            losses.append(outcome)
    return None
