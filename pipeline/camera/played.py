"""A camera that plays pictures at a steady rate or on software triggers: what folder, video and synthetic share."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.camera.source import CameraInfo, Loss
from pipeline.clock import monotonic_ns, utc_ns
from pipeline.errors import CameraError
from pipeline.frame import FrameInfo, PixelFormat

Image = NDArray[np.uint8]  # (H, W) grey or (H, W, 3) as the pixel format says
NAP_S = 0.005  # how late a software trigger from another thread may be seen


class PlayedCamera(ABC):
    """See `source.Camera`. Every picture counts as one trigger, numbered from 1 at each `start`.

    Nothing is ever lost: a picture that is not fetched in time waits, and the next follows one period later.
    """

    def __init__(self, where: str, *, rate_hz: float, on_software_trigger: bool = False, limit: int = 0) -> None:
        """`where` names the camera in messages; `limit` > 0 ends it after so many pictures."""
        self._where = where
        self._period_ns = int(1e9 / rate_hz) if rate_hz and not on_software_trigger else 0
        self._on_software_trigger = on_software_trigger
        self._limit = limit
        self._info: CameraInfo | None = None
        self._pictures: Iterator[Image] | None = None
        self._number = 0
        self._software_triggers = 0
        self._due_ns = 0
        self._ended = False

    @abstractmethod
    def _look(self) -> CameraInfo:
        """Check the material and say what it is. Raises CameraError."""

    @abstractmethod
    def _play(self) -> Iterator[Image]:
        """The pictures from their beginning, of the size and format that `_look` said."""

    @property
    def exhausted(self) -> bool:
        """True after the last picture."""
        return self._ended

    def connect(self) -> CameraInfo:
        """Check the material; see `source.Camera.connect`."""
        if self._info is not None:
            raise CameraError("is connected already", where=self._where)
        self._info = self._look()
        return self._info

    def start(self) -> None:
        """Begin at the first picture."""
        if self._info is None:
            raise CameraError("is not connected", where=self._where)
        if self._pictures is not None:
            raise CameraError("is started already", where=self._where)
        self._pictures = self._play()
        self._number, self._software_triggers, self._ended = 0, 0, False
        self._due_ns = monotonic_ns()

    def grab_into(self, target: memoryview, timeout_s: float) -> FrameInfo | Loss | None:
        """See `source.Camera.grab_into`; after the last picture it waits and returns None for ever."""
        info, pictures = self._info, self._pictures
        if info is None or pictures is None:
            raise CameraError("is not started", where=self._where)
        if target.nbytes < info.payload_bytes:
            what = f"a frame of {info.payload_bytes} bytes does not fit into {target.nbytes}"
            raise CameraError(
                what, where=self._where, allowed=f"ring.slot_mb of {info.payload_bytes / 1e6:.3f} at least"
            )
        if not self._wait_until_due(timeout_s):
            return None
        picture = next(pictures, None)
        if picture is None:
            self._ended = True
            return None
        self._number += 1
        self._ended = self._number == self._limit
        self._due_ns = max(self._due_ns + self._period_ns, monotonic_ns() - self._period_ns)
        return self._deliver(picture, target, info)

    def poll_trigger_counter(self) -> int | None:
        """How many triggers there were: pictures begun, or software triggers."""
        return self._software_triggers if self._on_software_trigger else self._number

    def trigger_software(self, ticket: str = "") -> None:  # noqa: ARG002 - the next picture is as good as any
        """Let the next picture come. Raises CameraError where pictures come by themselves."""
        if not self._on_software_trigger:
            raise CameraError(
                "takes no software trigger", where=self._where, allowed='triggers = "software" of a synthetic camera'
            )
        if self._pictures is None:
            raise CameraError("is not started", where=self._where)
        self._software_triggers += 1

    def stop(self) -> None:
        """Deliver no more pictures."""
        self._pictures = None

    def disconnect(self) -> None:
        """Stop and forget the material."""
        self.stop()
        self._info = None

    def _wait_until_due(self, timeout_s: float) -> bool:
        end_ns = monotonic_ns() + int(timeout_s * 1e9)
        while not self._is_due():
            left_s = (end_ns - monotonic_ns()) / 1e9
            if left_s <= 0:
                return False
            until_due_s = (self._due_ns - monotonic_ns()) / 1e9
            time.sleep(min(left_s, NAP_S if self._waits_for_trigger() or until_due_s <= 0 else until_due_s))
        return True

    def _is_due(self) -> bool:
        return not self._ended and not self._waits_for_trigger() and monotonic_ns() >= self._due_ns

    def _waits_for_trigger(self) -> bool:
        return self._on_software_trigger and self._number >= self._software_triggers

    def _deliver(self, picture: Image, target: memoryview, info: CameraInfo) -> FrameInfo:
        wanted = (info.height, info.width) if info.pixel_format is PixelFormat.Mono8 else (info.height, info.width, 3)
        if picture.shape != wanted or picture.dtype != np.uint8:
            what = f"picture {self._number} is {picture.dtype} {picture.shape}"
            raise CameraError(what, where=self._where, allowed=f"uint8 {wanted}")
        np.copyto(np.frombuffer(target, np.uint8, info.payload_bytes).reshape(wanted), picture)
        return FrameInfo(
            width=info.width,
            height=info.height,
            pixel_format=info.pixel_format,
            frame_id=self._number,
            trigger_number=self._number,
            exposure_us=None,
            camera_ns=None,
            received_monotonic_ns=monotonic_ns(),
            received_utc_ns=utc_ns(),
        )


def played_info(kind: str, name: str, size_wh: tuple[int, int], pixel_format: PixelFormat) -> CameraInfo:
    """Identity of a camera that plays pictures; `kind` stands for its model."""
    width, height = size_wh
    return CameraInfo(
        vendor="datumd",
        model=kind,
        serial=name,
        width=width,
        height=height,
        pixel_format=pixel_format,
        payload_bytes=pixel_format.payload_bytes(width, height),
        counts_triggers=True,
        is_simulated=True,
    )


def converted(bgr: Image, pixel_format: PixelFormat) -> Image:
    """A decoded picture, grey (H, W) or BGR (H, W, 3), in the wanted format."""
    if pixel_format is PixelFormat.Mono8:
        return bgr if bgr.ndim == 2 else np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
    if pixel_format is PixelFormat.RGB8:
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    return bgr
