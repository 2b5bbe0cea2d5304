"""What the simulated cameras see: a test pattern, images of a folder, or rendered parts."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.camera.image_file import read_image
from pipeline.errors import DatumdError
from simulator.render import Occlusion, PartRenderer, Rendered, frame_seed

_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
_RING = 16  # images held per camera when there are too many to hold all


class Content(Protocol):
    """Pictures by number, the same at every call. Trigger n shows picture (n - 1) modulo ``pictures``.

    Attributes:
        shape: (height, width) or (height, width, 3) RGB; width a multiple of 4, height even.
        pictures: how many there are before they repeat.
    """

    shape: tuple[int, ...]
    pictures: int

    def image(self, device: int, picture: int) -> NDArray[np.uint8]:
        """What this camera sees of this picture."""
        ...

    def describe(self, picture: int) -> dict[str, int | float | str]:
        """What the line's log says of it, for example its seed or its file."""
        ...


def slots_for(content: Content, pool: int) -> int:
    """Images to hold per camera: all of them if they fit into the pool, else a ring that is written ahead."""
    return content.pictures if content.pictures <= pool else min(_RING, pool)


def pattern(device: int, picture: int, *, width: int, height: int) -> NDArray[np.uint8]:
    """A ramp in both directions that differs in every pixel row, picture and camera; (height, width) uint8."""
    x = np.arange(width, dtype=np.uint32)
    y = np.arange(height, dtype=np.uint32)[:, None]
    return ((x + 3 * y + 17 * picture + 101 * device) % 251).astype(np.uint8)


class PatternContent:
    """The test pattern: no part, but every picture can be told from every other one."""

    def __init__(self, *, width: int = 1280, height: int = 1024, pictures: int = 16) -> None:
        self.shape: tuple[int, ...] = (height, width)
        self.pictures = pictures

    def image(self, device: int, picture: int) -> NDArray[np.uint8]:
        """The pattern of this camera and picture."""
        return pattern(device, picture, width=self.shape[1], height=self.shape[0])

    def describe(self, picture: int) -> dict[str, int | float | str]:
        """The picture's number."""
        return {"picture": picture}


class FolderContent:
    """Images of a folder in order of their names; every camera sees the same.

    The first image gives the sensor's size, cut at the right and bottom to a multiple of 4 by 2 pixels; images of
    another size are left out, and ``left_out`` names them. With ``turn`` those whose sides are the other way round are
    turned by a quarter, clockwise, as if the camera had been held upright.

    Raises:
        DatumdError: no folder, or no image in it.
    """

    def __init__(self, folder: Path, *, colour: bool = False, turn: bool = False) -> None:
        if not folder.is_dir():
            raise DatumdError("no such folder", where=str(folder), allowed="a folder of images, renderer or pattern")
        self._colour = colour
        self._files: list[Path] = []
        self.left_out: list[Path] = []
        self.shape: tuple[int, ...] = ()
        self._turn = turn
        for file in sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES):
            self._take(file)
        if not self._files:
            raise DatumdError("no image in this folder", where=str(folder), allowed=", ".join(_SUFFIXES))
        self.pictures = len(self._files)

    def _take(self, file: Path) -> None:
        image = self._read(file)
        if image is None or (self.shape and image.shape != self.shape):
            self.left_out.append(file)
            return
        self.shape = image.shape
        self._files.append(file)

    def _read(self, file: Path) -> NDArray[np.uint8] | None:
        try:
            image = read_image(file, colour=self._colour, error=DatumdError)
        except DatumdError:
            return None
        if self._turn and self.shape and (image.shape[0] > image.shape[1]) != (self.shape[0] > self.shape[1]):
            image = np.rot90(image, -1)
        image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 4 * 4]
        if image.ndim == 3:
            image = image[:, :, ::-1]
        return np.ascontiguousarray(image, dtype=np.uint8)

    def image(self, device: int, picture: int) -> NDArray[np.uint8]:  # noqa: ARG002 - every camera sees the same
        """The image of this number.

        Raises:
            DatumdError: the file changed since the start.
        """
        image = self._read(self._files[picture])
        if image is None or image.shape != self.shape:
            raise DatumdError("the image is gone or has another size", where=str(self._files[picture]))
        return image

    def describe(self, picture: int) -> dict[str, int | float | str]:
        """Number and file name."""
        return {"picture": picture, "file": self._files[picture].name}


class RenderedContent:
    """Parts of ``simulator.render``: camera d sees a part of family d, all cameras with the picture's seed.

    Args:
        families: one per camera; the last one serves all further cameras.
        seed: of the whole sequence.
        occlusion: how much lies on the parts.
        defects: share of the parts with scratches, dents, stains or burrs.
        pictures: how many different parts pass before they repeat; they are rendered at the start (about 50 ms each).
    """

    def __init__(
        self,
        families: tuple[str, ...] = ("bracket",),
        *,
        seed: int = 0,
        occlusion: Occlusion = Occlusion.SPARSE,
        defects: float = 0.0,
        pictures: int = 48,
        width: int = 1280,
        height: int = 1024,
    ) -> None:
        self.shape: tuple[int, ...] = (height, width)
        self.pictures = pictures
        self._seed, self._occlusion, self._defects = seed, occlusion, defects
        self._renderers = [PartRenderer(family, width=width, height=height) for family in families]

    def image(self, device: int, picture: int) -> NDArray[np.uint8]:
        """The part as this camera sees it."""
        return self.rendered(device, picture).image

    def rendered(self, device: int, picture: int) -> Rendered:
        """The part as this camera sees it, with its truth: keypoints and the masks of its defects."""
        renderer = self._renderers[min(device, len(self._renderers) - 1)]
        return renderer.render(frame_seed(self._seed, picture), occlusion=self._occlusion, defects=self._defects)

    def describe(self, picture: int) -> dict[str, int | float | str]:
        """Number, and what ``PartRenderer.render`` needs to show it again."""
        needed: dict[str, int | float | str] = {
            "picture": picture,
            "seed": frame_seed(self._seed, picture),
            "occlusion": self._occlusion.value,
        }
        return needed | {"defects": self._defects} if self._defects else needed
