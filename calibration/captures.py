"""Pictures to calibrate by: from a folder, or one after the other from a camera."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.camera.image_file import read_image
from pipeline.camera.load import open_camera
from pipeline.camera.source import CameraInfo
from pipeline.camera_settings import CameraSettings, GenicamSettings
from pipeline.clock import monotonic_ns
from pipeline.config import Station, load_station
from pipeline.errors import CameraError, ConfigError, DataError
from pipeline.frame import Frame, FrameInfo
from pipeline.pixels import whole_grey8

Grey = NDArray[np.uint8]
SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Identity:
    """Of which camera pictures are, as calibration.toml has it."""

    serial: str
    readout: str


def folder_pictures(folder: Path) -> Iterator[tuple[str, Grey]]:
    """Name and grey levels of every image of a folder, in the order of their names.

    Raises:
        DataError: no folder, no image in it, or one that cannot be read.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder", where=str(folder))
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError("no image in this folder", where=str(folder), allowed=", ".join(SUFFIXES))
    for path in paths:
        yield path.name, read_grey(path)


def read_grey(path: Path) -> Grey:
    """An image file as grey levels (H, W). Raises DataError."""
    return np.asarray(read_image(path, colour=False, error=DataError), np.uint8)


def camera_of(path: Path, view: str | None) -> tuple[str, CameraSettings]:
    """Name and settings of the camera of a view in a station file; it runs free, whatever triggers it in production.

    Raises:
        ConfigError: no such view, or several and none is named.
    """
    station: Station = load_station(path)
    names = {shown: name for name, shown in station.views.items()}
    chosen = view or (next(iter(names)) if len(names) == 1 else "")
    if chosen not in names:
        raise ConfigError(f"--view is {chosen!r}", where=str(path), allowed=", ".join(names))
    settings = station.camera[names[chosen]]
    if isinstance(settings, GenicamSettings):
        free = settings.features | {"TriggerMode": "Off"} if "TriggerMode" in settings.features else settings.features
        settings = msgspec.structs.replace(settings, features=free, trigger_number="", trigger_counter="")
    return names[chosen], settings


class LiveCamera:
    """A camera that is looked at until somebody has seen enough; a context."""

    def __init__(self, name: str, settings: CameraSettings) -> None:
        self._name, self._camera = name, open_camera(settings)
        self._info: CameraInfo | None = None

    def __enter__(self) -> LiveCamera:
        """Connect and start. Raises CameraError or CameraLost."""
        try:
            self._info = self._camera.connect()
            self._camera.start()
        except BaseException:
            self._camera.disconnect()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        self._camera.disconnect()

    @property
    def identity(self) -> Identity:
        """Of the connected camera."""
        if self._info is None:
            raise CameraError("is not connected", where=f"camera {self._name}")
        return Identity(self._info.serial, self._info.readout)

    def pictures(self, timeout_s: float) -> Iterator[Grey]:
        """Pictures as they come, until the camera has no more. Raises CameraError where none comes in time."""
        if self._info is None:
            return
        payload = memoryview(bytearray(self._info.payload_bytes))
        until_ns = monotonic_ns() + int(timeout_s * 1e9)
        while not self._camera.exhausted:
            with suppress(CameraError):  # it runs free
                self._camera.trigger_software()
            outcome = self._camera.grab_into(payload, _POLL_S)
            if isinstance(outcome, FrameInfo):
                yield whole_grey8(Frame(outcome, payload)).copy()
                until_ns = monotonic_ns() + int(timeout_s * 1e9)
            elif monotonic_ns() > until_ns:
                what = f"gave no picture in {timeout_s:g} s"
                raise CameraError(
                    what, where=f"camera {self._name}", allowed="a camera that runs free, or is triggered"
                )


def save_png(path: Path, image: Grey) -> None:
    """Write an image. Raises DataError where it cannot be written."""
    try:
        path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    except OSError as problem:
        raise DataError(f"cannot be written ({problem.strerror})", where=str(path)) from None
