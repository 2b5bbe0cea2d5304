"""Parts whose images were kept, as they lie in a folder: a station's state folder, its images, or a copy of some of them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.errors import DataError
from pipeline.evidence import record
from pipeline.evidence.image_name import FOLDER, IMAGE_SUFFIX, parse_stem
from pipeline.frame import Frame
from pipeline.result import Result

Identity = tuple[int, int]  # session, seq


@dataclass(frozen=True, slots=True)
class ArchivedPart:
    """One trigger whose images are there: view to file. `seq` is that of its first result."""

    session: int
    seq: int
    images: dict[str, Path]

    @property
    def name(self) -> str:
        """The id of its first result."""
        return f"{self.session}-{self.seq}"


@dataclass(frozen=True, slots=True)
class LoadedPart:
    """One trigger's frames by view, and the results that were published of it: one for each part that was found."""

    name: str
    frames: dict[str, Frame]
    results: list[Result]


def find_parts(folder: Path) -> list[ArchivedPart]:
    """Every part in a folder and below it, the oldest first.

    Raises:
        DataError: there is no such folder, or no stored image in it.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder", where=str(folder), allowed="images as a station keeps them")
    start = folder / FOLDER if (folder / FOLDER).is_dir() else folder
    found: dict[Identity, dict[str, Path]] = {}
    for path in _images(start):
        session, seq, view = path.stem.split("-", 4)[2:]
        found.setdefault((int(session), int(seq)), {})[view] = path
    if not found:
        raise DataError(
            "holds no images that a station kept",
            where=str(folder),
            allowed="a station's state folder, or images of it with the texts beside them",
            next_command="datumd inspect FOLDER --recipe RECIPE, for images without their results",
        )
    return [ArchivedPart(session, seq, images) for (session, seq), images in sorted(found.items())]


@dataclass(frozen=True, slots=True)
class PackedPart:
    """The files of a part as they were read, for whoever inspects it: view to the file, its image and its text."""

    name: str
    files: dict[str, tuple[Path, bytes, bytes]]


def pack(part: ArchivedPart) -> PackedPart:
    """Read a part's files. Raises DataError."""
    return PackedPart(part.name, {view: (path, *record.read(path)) for view, path in part.images.items()})


def results_in(packed: PackedPart) -> list[Result]:
    """The results that were published of a part, without a look at its images. Raises DataError."""
    for path, _, text in packed.files.values():
        if found := results_of(record.decode_text(text, path).result, path):
            return found
    raise DataError("has no image", where=f"part {packed.name}")


def unpack(packed: PackedPart) -> LoadedPart:
    """Decode a part's images and texts.

    Raises:
        DataError: a file is damaged, or a view's image was not kept.
    """
    results = results_in(packed)
    frames = {view: record.decode(png, text, path)[0] for view, (path, png, text) in packed.files.items()}
    missing = [view.view for view in results[0].views if view.view not in frames]
    if missing:
        raise DataError(f"the image of view {', '.join(missing)} was not kept", where=f"part {packed.name}")
    return LoadedPart(packed.name, frames, results)


def results_of(text: msgspec.Raw, path: Path) -> list[Result]:
    """The results in the text beside an image: one, or a list where several parts were found. Raises DataError."""
    try:
        several = bytes(text).lstrip()[:1] == b"["
        return msgspec.json.decode(text, type=list[Result]) if several else [msgspec.json.decode(text, type=Result)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise DataError(f"holds no result ({problem})", where=str(record.text_path(path))) from None


def _images(folder: Path) -> Iterator[Path]:
    """Stored images below a folder, those of which a station knows by their names."""
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith(IMAGE_SUFFIX) and parse_stem(name.removesuffix(IMAGE_SUFFIX)) is not None:
                yield Path(parent) / name
