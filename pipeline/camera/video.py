"""A video file as a camera."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from pipeline.camera.played import Image, PlayedCamera, converted, played_info
from pipeline.camera.source import CameraInfo
from pipeline.camera_settings import VideoSettings
from pipeline.errors import CameraError
from pipeline.frame import PixelFormat


class VideoCamera(PlayedCamera):
    """Plays a video file from its beginning; see `VideoSettings`."""

    def __init__(self, settings: VideoSettings) -> None:
        """Nothing is read before `connect`."""
        super().__init__(f"camera video {settings.path}", rate_hz=settings.rate_hz)
        self._settings = settings
        self._pixel_format = PixelFormat[settings.pixel_format]

    def _look(self) -> CameraInfo:
        first = next(self._frames(), None)
        if first is None:
            raise CameraError("has no frame that can be decoded", where=self._settings.path, allowed="a video file")
        height, width = first.shape[:2]
        return played_info("video", Path(self._settings.path).name, (width, height), self._pixel_format)

    def _play(self) -> Iterator[Image]:
        while True:
            is_played = False
            for frame in self._frames():
                yield frame
                is_played = True
            if not self._settings.repeat:
                return
            if not is_played:
                raise CameraError("no frame can be decoded any more", where=self._settings.path, allowed="a video file")

    def _frames(self) -> Iterator[Image]:
        """The frames from the first to the last that can be decoded."""
        path = Path(self._settings.path)
        if not path.is_file():
            raise CameraError("is not a file", where=str(path), allowed="a video file")
        capture = cv2.VideoCapture(str(path))
        try:
            while True:
                is_read, frame = capture.read()
                if not is_read:
                    return
                yield converted(np.asarray(frame, np.uint8), self._pixel_format)
        finally:
            capture.release()
