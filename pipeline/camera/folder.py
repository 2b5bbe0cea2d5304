"""A folder of images as a camera."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.camera.image_file import read_image
from pipeline.camera.image_size import image_size
from pipeline.camera.played import Image, PlayedCamera, converted, played_info
from pipeline.camera.source import CameraInfo
from pipeline.camera_settings import FolderSettings
from pipeline.errors import CameraError
from pipeline.frame import PixelFormat

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


class FolderCamera(PlayedCamera):
    """Plays the images of a folder in the order of their names; see `FolderSettings`."""

    def __init__(self, settings: FolderSettings) -> None:
        """Nothing is read before `connect`."""
        super().__init__(f"camera folder {settings.path}", rate_hz=settings.rate_hz)
        self._settings = settings
        self._pixel_format = PixelFormat[settings.pixel_format]
        self._files: list[Path] = []
        self._size_wh = (0, 0)

    def _look(self) -> CameraInfo:
        folder = Path(self._settings.path)
        try:
            self._files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        except OSError as problem:
            raise CameraError(f"cannot be read ({problem.strerror})", where=str(folder)) from None
        if not self._files:
            raise CameraError("holds no images", where=str(folder), allowed=" ".join(SUFFIXES))
        sizes = [image_size(path) for path in self._files]
        self._size_wh = sizes[0]
        if self._settings.pad:
            self._size_wh = (max(width for width, _ in sizes), max(height for _, height in sizes))
        other = next((place for place, size in enumerate(sizes) if size != sizes[0]), None)
        if other is not None and not self._settings.pad:
            (width, height), path = sizes[other], self._files[other]
            allowed = f"{sizes[0][0]} x {sizes[0][1]} as {self._files[0].name}, or pad = true"
            raise CameraError(f"is {width} x {height}", where=str(path), allowed=allowed)
        return played_info("folder", folder.name, self._size_wh, self._pixel_format)

    def _play(self) -> Iterator[Image]:
        while True:
            for path in self._files:
                yield self._padded(self._read(path))
            if not self._settings.repeat:
                return

    def _read(self, path: Path) -> Image:
        colour = self._pixel_format is not PixelFormat.Mono8
        return converted(read_image(path, colour=colour), self._pixel_format)

    def _padded(self, image: Image) -> Image:
        width, height = self._size_wh
        if not self._settings.pad or image.shape[:2] == (height, width):
            return image
        canvas: Image = np.zeros((height, width, *image.shape[2:]), np.uint8)
        canvas[: image.shape[0], : image.shape[1]] = image
        return canvas
