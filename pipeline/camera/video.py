"""A video file as a camera."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from pipeline import plain_file
from pipeline.camera.image_size import LARGEST_PIXELS
from pipeline.camera.played import Image, PlayedCamera, converted, played_info
from pipeline.camera.source import CameraInfo
from pipeline.camera_settings import VideoSettings
from pipeline.errors import CameraError
from pipeline.frame import PixelFormat

CONTAINERS = (  # what a file begins with: place and bytes
    (0, b"RIFF"),  # avi
    (4, b"ftyp"),  # mp4, mov
    (4, b"moov"),
    (4, b"mdat"),
    (4, b"wide"),
    (4, b"free"),
    (0, b"\x1a\x45\xdf\xa3"),  # mkv, webm
    (0, b"\0\0\1"),  # mpg, h264
    (0, b"\0\0\0\1"),
    (0, b"OggS"),
    (0, b"\xff\xd8\xff"),  # mjpeg
)
LONGEST_MAGIC = 16


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
        _refuse_other_kinds(path)
        capture = cv2.VideoCapture(
            str(path.absolute()), cv2.CAP_FFMPEG
        )  # another backend may take a name for a pattern
        try:
            width, height = (capture.get(size) for size in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
            if width * height > LARGEST_PIXELS:
                raise CameraError(f"is {width:.0f} x {height:.0f}", where=str(path), allowed=f"{LARGEST_PIXELS} px")
            while True:
                is_read, frame = capture.read()
                if not is_read:
                    return
                yield converted(np.asarray(frame, np.uint8), self._pixel_format)
        finally:
            capture.release()


def _refuse_other_kinds(path: Path) -> None:
    """Refuse what is no container of video: FFmpeg would follow a play list, under any name, to other files and hosts."""
    try:
        with plain_file.open_plain(path) as file:
            head = file.read(LONGEST_MAGIC)
    except (plain_file.NotPlainError, FileNotFoundError):
        raise CameraError("is not a file", where=str(path), allowed="a video file") from None
    except OSError as problem:
        raise CameraError(f"cannot be read ({problem.strerror})", where=str(path)) from None
    if not any(head[place:].startswith(magic) for place, magic in CONTAINERS):
        raise CameraError("is no video that is known", where=str(path), allowed="avi, mp4, mov, mkv, webm, mpg, ogg")
