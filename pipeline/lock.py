"""recipe.lock: what `datumd seal` found, so that production runs exactly what was tried. JSON, written by the seal alone."""

import hashlib
import os
import stat
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from pipeline import plain_file, precision
from pipeline.errors import RecipeError
from pipeline.result import Defect, Keypoint
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.thresholds import Thresholds

FILE_NAME = "recipe.lock"
LARGEST_BYTES = 50_000_000
LARGEST_FILE_BYTES = 2 << 30  # of a recipe: what an ONNX file can have
MOST_FILES = 10_000


class ReferencePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One part that the sealing backend found in a reference frame."""

    region: tuple[float, float, float, float]
    keypoints: list[Keypoint]
    defects: list[Defect] = []


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stored frame (8-bit grey PNG, path in the folder) and what must be found in it, in the order of the parts."""

    image: str
    parts: list[ReferencePart]


class LockedView(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is locked of one view."""

    thresholds: Thresholds
    references: list[Reference]
    segment: SegmentThresholds | None = None


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file.

    Attributes:
        files: path in the folder to sha256 in hex, of every file but the lock.
        limit_px: how far a visible keypoint may lie from its place in the reference frames on another backend.
        backend: which sealed, for the reader's information.
    """

    format: Literal[1]
    files: dict[str, str]
    views: dict[str, LockedView]
    limit_px: float
    backend: str


def seal_command(folder: Path) -> str:
    """The command that messages name."""
    return f"datumd seal {folder}"


def hash_files(folder: Path) -> dict[str, str]:
    """Hashes of every file in the folder and below, but for the lock, hidden files and networks in other precisions.

    Raises:
        RecipeError: a symbolic link or another thing that is no plain file: what it leads to could change unseen. Or more
            files, or a larger one, than a recipe has.
    """
    found: dict[str, str] = {}
    for parent, folders, files in os.walk(folder, onerror=_cannot_read):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if Path(parent) == folder and precision.FOLDER in folders:
            folders.remove(precision.FOLDER)  # derived from what is hashed here, and guarded by their own notes
        for name in (*folders, *files):
            _refuse_special(Path(parent) / name)
        for name in sorted(files):
            path = Path(parent) / name
            relative = path.relative_to(folder).as_posix()
            if not name.startswith(".") and relative != FILE_NAME:
                found[relative] = _sha256(path)
                if len(found) > MOST_FILES:
                    raise RecipeError("holds too many files", where=str(folder), allowed=f"{MOST_FILES} at most")
    return dict(sorted(found.items()))


def write_lock(folder: Path, lock: Lock) -> None:
    """Write the lock in one step: it is whole or the former one. Raises RecipeError where that fails."""
    draft = folder / f".{FILE_NAME}.new"
    try:
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(lock), indent=1) + b"\n")
        draft.replace(folder / FILE_NAME)
    except OSError as problem:
        raise RecipeError(f"cannot be written ({problem.strerror})", where=str(folder / FILE_NAME)) from None


def read_lock(folder: Path) -> tuple[Lock, str]:
    """The lock and its id, the first 16 hex digits of its sha256.

    Raises:
        RecipeError: there is none, or it is not one.
    """
    path = folder / FILE_NAME
    if not os.path.lexists(path):
        raise RecipeError("the recipe is not sealed", where=str(folder), next_command=seal_command(folder))
    text = plain_file.read(path, LARGEST_BYTES, RecipeError, follow=False)
    try:
        lock = msgspec.json.decode(text, type=Lock)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise RecipeError(f"is damaged: {problem}", where=str(path), next_command=seal_command(folder)) from None
    return lock, hashlib.sha256(text).hexdigest()[:16]


def verify(folder: Path, lock: Lock) -> None:
    """Compare the folder with its lock. Raises RecipeError for the first file that changed, is missing or was added."""
    found = hash_files(folder)
    for name, sha256 in lock.files.items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise _broken(folder, folder / FILE_NAME, f"names {name!r}, which lies outside of the folder")
        if name not in found:
            raise _broken(folder, folder / name, "is missing since the recipe was sealed")
        if found[name] != sha256:
            raise _broken(folder, folder / name, "was changed since the recipe was sealed")
    for view in lock.views.values():
        strange = next((one.image for one in view.references if one.image not in found), None)
        if strange is not None:
            raise _broken(folder, folder / FILE_NAME, f"names the reference {strange!r}, which is none of its files")
    added = next((name for name in found if name not in lock.files), None)
    if added is not None:
        raise _broken(folder, folder / added, "was added since the recipe was sealed")


def _broken(folder: Path, where: Path, what: str) -> RecipeError:
    return RecipeError(what, where=str(where), next_command=seal_command(folder))


def _refuse_special(path: Path) -> None:
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        what = "is a symbolic link" if stat.S_ISLNK(mode) else "is no plain file"
        raise RecipeError(what, where=str(path), allowed="plain files in the recipe's folder")


def _sha256(path: Path) -> str:
    try:
        with plain_file.open_plain(path, follow=False) as file:
            if os.fstat(file.fileno()).st_size > LARGEST_FILE_BYTES:
                raise RecipeError("is too large", where=str(path), allowed=f"{LARGEST_FILE_BYTES} bytes in each file")
            return hashlib.file_digest(file, "sha256").hexdigest()
    except plain_file.NotPlainError as problem:
        raise RecipeError(problem.what, where=str(path)) from None
    except OSError as problem:
        raise RecipeError(f"cannot be read ({problem.strerror})", where=str(path)) from None


def _cannot_read(problem: OSError) -> None:
    raise RecipeError(f"cannot be read ({problem.strerror})", where=str(problem.filename))
