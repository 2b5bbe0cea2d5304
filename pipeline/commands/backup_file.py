"""What a backup holds, and how it is written and read: a zip with a manifest of every file's hash.

station.toml, recipes/… (the folder of recipes), state/… (journal.db, recipes/…, images/… if asked), calibrations/CAMERA
"""

import contextlib
import hashlib
import os
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from pipeline import plain_file, toml_file
from pipeline.clock import iso_utc, utc_ns
from pipeline.config import Station, load_station
from pipeline.errors import ConfigError, DataError, JournalError
from pipeline.ledger.journal_schema import FILE_NAME as JOURNAL
from pipeline.ledger.journal_schema import connect_reader
from pipeline.runtime import state_place
from pipeline.version import version

MANIFEST, STATION = "manifest.json", "station.toml"
RECIPES, STATE, CALIBRATIONS = "recipes", "state", "calibrations"
LARGEST_MANIFEST_BYTES = 256 << 20
CHUNK_BYTES = 1 << 20


class Manifest(msgspec.Struct, frozen=True):
    """What is in a backup: name in the archive to sha256 in hex."""

    format: Literal[1]
    station: str
    datumd: str
    made: str
    files: dict[str, str]


def write_backup(station_file: Path, file: BinaryIO, scratch: Path, *, images: bool) -> Manifest:
    """Write a backup of a station, which may run meanwhile: the journal is that of one moment.

    Args:
        station_file: the station's.
        file: where it goes.
        scratch: folder that has room for a copy of the journal meanwhile, such as the one that `file` is in.
        images: with the kept images.

    Raises:
        ConfigError: the station file cannot be used.
        JournalError: the journal cannot be read.
        OSError: a file cannot be read, or `file` not be written.
    """
    station = load_station(station_file)
    hashes: dict[str, str] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in _files(station, station_file, scratch, images=images):
            with contextlib.suppress(FileNotFoundError):  # an image whose time had come just now
                hashes[name] = _add(archive, name, path)
        manifest = Manifest(1, station.station, version(), iso_utc(utc_ns()), hashes)
        archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    return manifest


def restore_backup(file: Path, station_file: Path) -> Manifest:
    """Write a station back to where its station file says. Nothing is replaced, and nothing written unless all is whole.

    Raises:
        DataError: it is no backup, or damaged.
        ConfigError: the station file is there already, or something where it says.
        OSError: a file cannot be written.
    """
    if station_file.exists():
        raise ConfigError("is there already", where=str(station_file), allowed="a name that is not taken")
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = _checked(archive, file)
            made: list[Path] = []  # files and folders, each after the folder that it lies in
            try:
                draft = station_file.with_name(f".{station_file.name}.restoring")
                draft.unlink(missing_ok=True)  # of a restore that was killed
                _make_folder(draft.parent, made)
                _extract(archive, STATION, draft, made)
                places = _places(load_station(draft))
                for name in manifest.files:
                    if name != STATION:
                        _extract(archive, name, _place(places, name, file), made)
                draft.replace(station_file)
            except BaseException:
                _take_back(made)
                raise
    except (zipfile.BadZipFile, zipfile.LargeZipFile) as problem:
        raise DataError(f"is no backup ({problem})", where=str(file)) from None
    return manifest


def left_out(station_file: Path) -> list[str]:
    """Files that the station file names and a backup does not hold: keys, tokens, passwords, and what came with a camera."""
    found = []
    for key, value in _strings(toml_file.read_table(station_file, ConfigError), ""):
        held = key in {"recipes", "archive.folder"} or key.endswith(".calibration")
        path = station_file.parent / value
        if not held and value and (path.is_file() or (("/" in value or "." in value) and path.exists())):
            found.append(f"{key} = {value}")
    return found


def _strings(table: dict[str, object], above: str) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _strings(value, f"{above}{key}.")
        elif isinstance(value, str):
            yield f"{above}{key}", value


def _files(station: Station, station_file: Path, scratch: Path, *, images: bool) -> Iterator[tuple[str, Path]]:
    state = state_place(station)
    yield STATION, station_file
    yield from _below(Path(station.recipes), RECIPES)
    for name, camera in station.camera.items():
        if camera.calibration:
            yield f"{CALIBRATIONS}/{name}", Path(camera.calibration)
    yield from _below(state / "recipes", f"{STATE}/recipes")
    if images:
        yield from _below(state / "images", f"{STATE}/images")
    if (state / JOURNAL).exists():
        with tempfile.TemporaryDirectory(prefix=".datumd-backup-", dir=scratch) as folder:
            yield f"{STATE}/{JOURNAL}", _copy_of_journal(state / JOURNAL, Path(folder) / JOURNAL)


def _below(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_symlink() and not path.name.startswith("."):
            raise ConfigError("is a link, which a backup does not hold", where=str(path), allowed="files and folders")
        if path.is_file() and not path.is_symlink() and not any(part.startswith(".") for part in relative.parts):
            yield f"{name}/{relative.as_posix()}", path


def _copy_of_journal(path: Path, copy: Path) -> Path:
    """All of it at one moment; the ledger goes on writing."""
    try:
        source = connect_reader(path)
        with contextlib.closing(sqlite3.connect(copy)) as target:
            if source is not None:
                with contextlib.closing(source):
                    source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
    except sqlite3.Error as problem:
        raise JournalError(f"cannot be copied: {problem}", where=str(path)) from None
    return copy


def _add(archive: zipfile.ZipFile, name: str, path: Path) -> str:
    digest = hashlib.sha256()
    info = zipfile.ZipInfo.from_file(path, name)
    info.compress_type = zipfile.ZIP_STORED if path.suffix in (".png", ".onnx") else zipfile.ZIP_DEFLATED
    with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def _checked(archive: zipfile.ZipFile, file: Path) -> Manifest:
    """The manifest, every file of it compared with its hash. Raises DataError."""
    try:
        if archive.getinfo(MANIFEST).file_size > LARGEST_MANIFEST_BYTES:
            raise DataError("has a manifest that is too large", where=str(file))
        manifest = msgspec.json.decode(archive.read(MANIFEST), type=Manifest)
        if STATION not in manifest.files:
            raise DataError("names no station file", where=str(file))
        for name, sha256 in manifest.files.items():
            with archive.open(name) as source:
                if hashlib.file_digest(source, "sha256").hexdigest() != sha256:  # type: ignore[arg-type]  # it is a file
                    raise DataError(f"{name} is damaged", where=str(file))
    except (KeyError, msgspec.DecodeError, RecursionError) as problem:
        raise DataError(f"is no backup that this version reads ({problem})", where=str(file)) from None
    return manifest


def _places(station: Station) -> dict[str, Path]:
    """Where the station file says that things lie; refused where there is something. Raises ConfigError."""
    recipes, state = Path(station.recipes), state_place(station)
    taken = [path for path in (recipes, state / "recipes", state / "images") if path.is_dir() and any(path.iterdir())]
    taken += [path for path in (state / JOURNAL,) if path.exists()]
    calibrations = {
        f"{CALIBRATIONS}/{name}": Path(one.calibration) for name, one in station.camera.items() if one.calibration
    }
    taken += [path for path in calibrations.values() if path.exists()]
    if taken:
        raise ConfigError("is there already", where=str(taken[0]), allowed="a machine without this station")
    return {RECIPES: recipes, STATE: state, **calibrations}


def _place(places: dict[str, Path], name: str, file: Path) -> Path:
    if name in places:
        return places[name]
    folder, _, rest = name.partition("/")
    if folder not in (RECIPES, STATE):
        raise DataError(f"holds {name!r}, which belongs nowhere", where=str(file))
    return plain_file.below(places[folder], rest, DataError, where=str(file))


def _make_folder(folder: Path, made: list[Path], mode: int = 0o777) -> None:
    """As `mkdir --parents --mode`, which is for the last folder alone; each new one is added to `made`."""
    for each in (*reversed(folder.parents), folder):
        if not each.exists():
            each.mkdir(mode if each == folder else 0o777)
            made.append(each)


def _take_back(made: list[Path]) -> None:
    """Remove what was made: it would be in the way of the next attempt. A folder that holds something else by now stays."""
    for path in reversed(made):
        with contextlib.suppress(OSError):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()


def _extract(archive: zipfile.ZipFile, name: str, path: Path, made: list[Path]) -> None:
    _make_folder(path.parent, made, 0o750)
    with archive.open(name) as source, path.open("xb") as target:
        made.append(path)
        while chunk := source.read(CHUNK_BYTES):
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
