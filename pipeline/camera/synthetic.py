"""A camera without hardware: pictures come from a factory that the settings name."""

import importlib
from collections.abc import Iterator
from itertools import chain, islice

from pipeline.camera.played import Image, PlayedCamera, played_info
from pipeline.camera.source import CameraInfo
from pipeline.camera_settings import SyntheticSettings
from pipeline.errors import CameraError
from pipeline.frame import PixelFormat


class SyntheticCamera(PlayedCamera):
    """Plays what `settings.frames` makes; see `SyntheticSettings`."""

    def __init__(self, settings: SyntheticSettings) -> None:
        """Nothing is imported before `connect`."""
        super().__init__(
            f"camera synthetic {settings.frames}",
            rate_hz=settings.rate_hz,
            on_software_trigger=settings.triggers == "software",
            limit=settings.limit,
        )
        self._settings = settings

    def _look(self) -> CameraInfo:
        self._make()
        size_wh = (self._settings.width, self._settings.height)
        return played_info("synthetic", f"seed {self._settings.seed}", size_wh, PixelFormat.Mono8)

    def _play(self) -> Iterator[Image]:
        """The first picture is made here already: it may take long, and a camera that is up is expected to make progress."""
        pictures = self._make()
        return chain(list(islice(pictures, 1)), pictures)

    def _make(self) -> Iterator[Image]:
        """Call the factory; the pictures themselves are made when they are asked for."""
        module_name, _, name = self._settings.frames.partition(":")
        try:
            factory = getattr(importlib.import_module(module_name), name)
            pictures: Iterator[Image] = iter(factory(self._settings.width, self._settings.height, self._settings.seed))
        except (ImportError, AttributeError, TypeError, ValueError) as problem:
            raise CameraError(
                f"{self._settings.frames} makes no pictures ({problem})",
                where="camera synthetic: frames",
                allowed="package.module:callable(width, height, seed) of an installed package",
            ) from None
        return pictures
