"""A recipe's networks in other precisions: ONNX files derived from the sealed ones, with a note of what each was made from.

They lie in ``RECIPE/precision/VIEW/NETWORK.PRECISION.onnx`` with their notes (``.toml``) beside them. No lock names them:
they can be made, or left out, on each station, and a recipe's id stays what it is. What guards them instead is the note,
compared with the sealed network at every load, and the reference frames, which every precision must reproduce.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from pipeline import plain_file, toml_file
from pipeline.errors import RecipeError

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
FOLDER = "precision"
LARGEST_BYTES = 2 << 30  # what an ONNX file can have

_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class ParityPx(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the whole inspection's keypoints lie from those of fp32, in sensor px."""

    p50: float
    p99: float
    max: float


class DerivedNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a derived file was made from, and how well it does.

    Attributes:
        source_sha256: of the sealed network's file, in hex.
        sha256: of the derived file.
        images_sha256: of the names and contents of the images it was made with, in their order.
        images: how many these were.
        layers: how many layers could have been made of this precision; `kept` names those that stayed in fp32.
        parity_px: over images that gave no ranges, with every network of the recipe in this precision.
        versions: of the libraries that wrote it.
    """

    format: Literal[1]
    precision: Literal["fp16", "int8"]
    source_sha256: _Sha256
    sha256: _Sha256
    images_sha256: _Sha256
    images: _Count
    layers: _Count
    kept: list[str]
    parity_px: ParityPx
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class PrecisionFile:
    """The file that a network runs from.

    Attributes:
        path: of an ONNX file.
        sha256: of its bytes, when they were checked.
        source_sha256: of the sealed network's bytes; the same for fp32.
    """

    path: Path
    sha256: str
    source_sha256: str


def derived_path(recipe: Path, network: Path, precision: Literal["fp16", "int8"]) -> Path:
    """Where the file of `network`, RECIPE/VIEW/NAME.onnx, lies in another precision."""
    return recipe / FOLDER / network.parent.name / f"{network.stem}.{precision}.onnx"


def precision_file(recipe: Path, network: Path, precision: Precision) -> PrecisionFile:
    """The file that a network runs from in this precision, checked against the network as it is now.

    Args:
        recipe: the recipe's folder.
        network: the ONNX file in it, RECIPE/VIEW/NAME.onnx.
        precision: fp32 is `network` itself.

    Raises:
        RecipeError: there is no such file, or it was made from another network, or changed since it was made.
    """
    source = _sha256(network)
    if precision == "fp32":
        return PrecisionFile(network, source, source)
    path = derived_path(recipe, network, precision)
    command = quantise_command(recipe, precision)
    if not path.is_file():
        raise RecipeError(f"there is no {precision} file of {network}", where=str(path), next_command=command)
    note = read_note(path)
    if note.precision != precision:
        raise RecipeError(f"is of {note.precision}", where=str(_note_path(path)), next_command=command)
    if note.source_sha256 != source:
        raise RecipeError(f"was made from another {network.name}", where=str(path), next_command=command)
    if (found := _sha256(path)) != note.sha256:
        raise RecipeError("was changed since it was made", where=str(path), next_command=command)
    return PrecisionFile(path, found, source)


def made_or_sealed(recipe: Path, network: Path, precision: Precision) -> PrecisionFile:
    """As `precision_file`, but `network` itself where there is no file of it in this precision. Raises RecipeError."""
    if precision != "fp32" and not os.path.lexists(derived_path(recipe, network, precision)):
        precision = "fp32"
    return precision_file(recipe, network, precision)


def quantise_command(recipe: Path, precision: Precision) -> str:
    """The command that messages name."""
    return f"datumd quantise {recipe} --precision {precision}"


def read_note(derived: Path) -> DerivedNote:
    """The note beside a derived file. Raises RecipeError where it is missing or faulty."""
    return toml_file.read(_note_path(derived), DerivedNote, RecipeError)


def write_derived(path: Path, content: bytes, note: DerivedNote) -> None:
    """Write a derived file and its note, so that `precision_file` finds both, or none where this is interrupted.

    Raises:
        RecipeError: the folder cannot be written.
    """
    plain = {name: value for name, value in msgspec.structs.asdict(note).items() if name not in _TABLES}
    lines = ["# Written with the network beside it; a network with another hash than here is not used."]
    lines += [f"{name} = {_toml(value)}" for name, value in plain.items()]
    lines += ["", "[parity_px]", *(f"{name} = {px!r}" for name, px in msgspec.structs.asdict(note.parity_px).items())]
    lines += ["", "[versions]", *(f"{_toml(name)} = {_toml(version)}" for name, version in note.versions.items())]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _note_path(path).unlink(missing_ok=True)
        for place, text in ((path, content), (_note_path(path), "\n".join([*lines, ""]).encode())):
            beside = place.with_name(f".{place.name}.part")
            beside.write_bytes(text)
            beside.replace(place)
    except OSError as problem:
        raise RecipeError(f"cannot be written ({problem.strerror})", where=str(path)) from None


_TABLES = ("parity_px", "versions")


def _toml(value: object) -> str:
    """Strings, numbers and lists of them are written in TOML as in JSON."""
    return msgspec.json.encode(value).decode()


def _note_path(derived: Path) -> Path:
    return derived.with_suffix(".toml")


def _sha256(path: Path) -> str:
    return hashlib.sha256(plain_file.read(path, LARGEST_BYTES, RecipeError, follow=False)).hexdigest()
