"""Every recipe that a station has inspected by, beside its journal: a verdict can be opened again after the recipe has changed.

recipes/locks/CONFIGURATION.lock    the recipe's lock, byte for byte: it names every file of the recipe by its hash
recipes/files/ab/SHA256             each file once, whichever recipes have it

A lock is written after all of its files, so that what has one is whole. Networks in other precisions are in no lock; they are
kept as files, and the record of the run (pipeline/evidence/run_record.py) names them.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline import lock, plain_file
from pipeline.errors import DataError, RecipeError
from pipeline.evidence.run_record import read_runs
from pipeline.evidence.space import Space
from pipeline.lock import Lock
from pipeline.recipe import Recipe

FOLDER = "recipes"
LARGEST_STORE_BYTES = 4 * 2**30
LARGEST_SHARE = 0.1  # of the file system
CHUNK_BYTES = 1 << 20
_CONFIGURATION = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class RecipeStore:
    """The store in `folder`, which is the folder RECIPES of a station's state folder; it may not be there yet."""

    folder: Path
    most_bytes: int = LARGEST_STORE_BYTES

    @classmethod
    def of(cls, state_folder: Path) -> "RecipeStore":
        """That of a station."""
        return cls(state_folder / FOLDER)

    def has(self, configuration_id: str) -> bool:
        """Whether the recipe of this id is kept."""
        return bool(_CONFIGURATION.fullmatch(configuration_id)) and self._lock_path(configuration_id).is_file()

    def keep(self, recipe: Recipe, derived: Mapping[str, str]) -> None:
        """Keep a sealed recipe; one that is kept already is marked as used today. What was not used for longest makes room.

        Args:
            recipe: as it was loaded.
            derived: further files in its folder, path to sha256 in hex: its networks in another precision.

        Raises:
            RecipeError: a file was changed since the recipe was loaded.
            OSError: the disk is full, or the store cannot be written.
        """
        text = plain_file.read(recipe.folder / lock.FILE_NAME, lock.LARGEST_BYTES, RecipeError, follow=False)
        if _id_of(text) != recipe.configuration_id:
            raise RecipeError("was sealed anew while it was loaded", where=str(recipe.folder))
        files = {sha256: recipe.folder / name for name, sha256 in {**recipe.files, **derived}.items()}
        with self._alone():
            self._make_room({sha256: path.stat().st_size for sha256, path in files.items()}, recipe.configuration_id)
            for sha256, path in files.items():
                self._keep_file(path, sha256)
            path = self._lock_path(recipe.configuration_id)
            if path.exists():
                path.touch()
            else:
                _write(path, [text])

    def keep_calibration(self, source: Path, sha256: str) -> None:
        """Keep the calibration of a camera. Raises as `keep`."""
        with self._alone():
            self._keep_file(source, sha256)

    def calibration(self, sha256: str) -> Path:
        """The file of a calibration that was kept. Raises DataError where there is none, or it is damaged."""
        path = self._file_path(sha256)
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            found = ""
        if found != sha256:
            raise DataError(f"calibration {sha256[:16]} is missing or damaged", where=str(self.folder))
        return path

    def restore(self, configuration_id: str, derived: Mapping[str, str], into: Path) -> Path:
        """Write the recipe of this id into an empty folder, as it was sealed, and return the folder.

        Raises:
            DataError: it is not kept, or what is kept is damaged.
            OSError: `into` cannot be written.
        """
        if not self.has(configuration_id):
            raise DataError(f"recipe {configuration_id or '(none)'} is not kept here", where=str(self.folder))
        text = self._lock_path(configuration_id).read_bytes()
        if _id_of(text) != configuration_id:
            raise DataError("is damaged", where=str(self._lock_path(configuration_id)))
        for name, sha256 in {**_files_of(text), **derived}.items():
            path = plain_file.below(into, name, DataError, where=str(self._lock_path(configuration_id)))
            path.parent.mkdir(parents=True, exist_ok=True)
            if _copy(self._file_path(sha256), path) != sha256:
                raise DataError(f"{name} of recipe {configuration_id} is missing or damaged", where=str(self.folder))
        (into / lock.FILE_NAME).write_bytes(text)
        return into

    def _keep_file(self, source: Path, sha256: str) -> None:
        path = self._file_path(sha256)
        if path.exists():
            return
        size = source.stat().st_size
        space = Space.of(self.folder)
        if space.is_full_for(size):
            raise OSError(f"disk full: {space}")
        digest = hashlib.sha256()
        with plain_file.open_plain(source, follow=False) as file:

            def chunks() -> Iterator[bytes]:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
                    yield chunk
                if digest.hexdigest() != sha256:  # before it has its name
                    raise RecipeError("was changed while it was kept", where=str(source))

            _write(path, chunks())

    def _make_room(self, coming: dict[str, int], newest: str) -> None:
        """Forget the recipes that were not used for longest, until what comes, sizes by hash, has room; never `newest`."""
        limit = min(self.most_bytes, int(Space.of(self.folder).total_bytes * LARGEST_SHARE))
        if sum(coming.values()) > limit:
            raise OSError(f"takes {sum(coming.values())} bytes, all recipes may take {limit} on this disk")
        sizes = {path.name: path.stat().st_size for path in self.folder.glob("files/*/*")} | coming
        if sum(sizes.values()) <= limit:
            return
        used = {path.stem: (path.stat().st_mtime_ns, self._needed(path)) for path in self.folder.glob("locks/*.lock")}
        measured = {sha256 for run in read_runs(self.folder) for sha256 in run.calibrations.values()}
        for configuration_id in sorted(used, key=lambda one: used[one][0]):
            if configuration_id == newest or sum(sizes.values()) <= limit:
                continue
            self._lock_path(configuration_id).unlink()  # first: what has a lock is whole
            del used[configuration_id]
            needed = {*coming, *measured, *(sha256 for _, files in used.values() for sha256 in files)}
            for sha256 in [name for name in sizes if name not in needed]:
                self._file_path(sha256).unlink(missing_ok=True)
                del sizes[sha256]

    def _needed(self, path: Path) -> set[str]:
        """The files of a kept recipe, those in other precisions as well."""
        try:
            found = set(_files_of(path.read_bytes()).values())
        except DataError:
            return set()
        for run in read_runs(self.folder):
            found |= {sha for one in run.recipes if one.configuration_id == path.stem for sha in one.derived.values()}
        return found

    def _lock_path(self, configuration_id: str) -> Path:
        return self.folder / "locks" / f"{configuration_id}.lock"

    def _file_path(self, sha256: str) -> Path:
        return self.folder / "files" / sha256[:2] / sha256

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """As the only process that writes here: every inference process of a station does when it starts."""
        self.folder.mkdir(
            mode=0o750, exist_ok=True
        )  # but not what it should lie in, which may not be mounted at present
        with (self.folder / ".writing").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            for draft in self.folder.glob("*/**/*.part"):  # of one that was killed
                draft.unlink(missing_ok=True)
            yield


def _id_of(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:16]


def _files_of(text: bytes) -> dict[str, str]:
    try:
        return msgspec.json.decode(text, type=Lock).files
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise DataError(f"a kept lock is damaged: {problem}") from None


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    """Under its name only when it is whole."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.part")
    try:
        with draft.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> str:
    """Copy a file; the hash of what was copied, "" where there is none."""
    digest = hashlib.sha256()
    with suppress(FileNotFoundError), source.open("rb") as file, target.open("wb") as copy:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            copy.write(chunk)
        return digest.hexdigest()
    return ""
