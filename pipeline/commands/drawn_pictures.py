"""A folder of pictures with what was found drawn into them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2

from pipeline.camera.image_file import read_image
from pipeline.errors import ConfigError
from pipeline.overlay import draw
from pipeline.result import Result


class DrawnPictures:
    """Writes one PNG for each result: NAME.png of the image NAME.*, NAME-1.png, NAME-2.png … where it shows several parts.

    Where several images have the same name the later ones get `~2`, `~3` … behind it.
    """

    def __init__(
        self, folder: Path, images: Iterable[Path], lines: Mapping[str, Sequence[str]], *, force: bool
    ) -> None:
        """Make the folder. `lines`: as `overlay.segments` gives.

        Raises:
            ConfigError: one of the images lies in it, it is not empty and not `force`, or it cannot be made.
        """
        self._folder, self._lines = folder, lines
        self._used: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            place = folder.resolve()
            if any(parent.resolve() == place for parent in {path.parent for path in images}):
                raise ConfigError(
                    "holds images that are inspected", where=str(folder), allowed="another folder for --out"
                )
            is_empty = next(folder.iterdir(), None) is None
        except OSError as problem:
            raise ConfigError(f"cannot be written ({problem.strerror})", where=str(folder)) from None
        if not is_empty and not force:
            raise ConfigError("is not empty", where=str(folder), next_command="add --force, or choose another folder")

    def write(self, image: Path, view: str, results: Sequence[Result]) -> None:
        """Draw the results of one image of this view over it, in colour where it has any.

        Raises:
            CameraError: the image cannot be read.
            ConfigError: a picture cannot be written.
        """
        picture = read_image(image, colour=True)
        for result in results:
            path = self._folder / self._name(image, result)
            encoded = cv2.imencode(".png", draw(picture, result, view, self._lines))[1]
            try:
                path.write_bytes(encoded.tobytes())
            except OSError as problem:
                raise ConfigError(f"cannot be written ({problem.strerror})", where=str(path)) from None

    def _name(self, image: Path, result: Result) -> str:
        base = f"{image.stem}-{result.part_index + 1}" if result.part_count > 1 else image.stem
        name, copy = base, 1
        while name in self._used:
            copy += 1
            name = f"{base}~{copy}"
        self._used.add(name)
        return f"{name}.png"
