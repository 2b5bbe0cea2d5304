"""What inspected, and how: written down whenever an inference process starts otherwise than before, to be known a year later.

recipes/runs.jsonl, one JSON object a line, the oldest first.
"""

import fcntl
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import msgspec
import numpy as np

from pipeline import plain_file
from pipeline.config import InferSettings
from pipeline.errors import DataError
from pipeline.result import Evaluation
from pipeline.version import version

FILE_NAME = "runs.jsonl"
LARGEST_BYTES = 8 << 20  # some thousand starts; then the older half goes
CPU_INFO = Path("/proc/cpuinfo")


class Machine(msgspec.Struct, frozen=True):
    """What may change the last digits of a number: the processor, and the libraries with their versions."""

    processor: str
    libraries: dict[str, str]


class RunRecipe(msgspec.Struct, frozen=True):
    """A recipe as it was loaded.

    Attributes:
        runs_on: libraries, versions and precision that ran its networks.
        derived: of the networks in that precision: path in the recipe's folder to sha256 in hex.
    """

    number: int
    name: str
    configuration_id: str
    runs_on: str
    derived: dict[str, str] = {}


class RunRecord(msgspec.Struct, frozen=True):
    """One inference process, from its start to the next record of the same process.

    Attributes:
        passing: evaluations that let a part pass.
        calibrations: view to sha256 in hex of its camera's calibration.
    """

    format: Literal[1]
    began_utc_ns: int
    worker: str
    station: str
    infer: InferSettings
    passing: list[Evaluation]
    machine: Machine
    recipes: list[RunRecipe]
    calibrations: dict[str, str] = {}


def this_machine() -> Machine:
    """This one."""
    libraries = {
        "datumd": version(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }
    return Machine(_processor(), libraries)


def append_run(folder: Path, record: RunRecord, largest_bytes: int = LARGEST_BYTES) -> None:
    """Add a record to the store in `folder`, unless the newest of the same process says the same.

    Over `largest_bytes` the older half of the records goes. After a power failure all records are there but, at most, this one.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(mode=0o750, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # the folder is locked: the file may be replaced
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        known = read_runs(folder)
        former = next((one for one in reversed(known) if one.worker == record.worker), None)
        if former is not None and msgspec.structs.replace(former, began_utc_ns=record.began_utc_ns) == record:
            return
        line = msgspec.json.encode(record) + b"\n"
        path = folder / FILE_NAME
        if path.exists() and path.stat().st_size + len(line) > largest_bytes:
            _rewrite(path, [*known[len(known) // 2 :], record])
        else:
            _append(path, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _append(path: Path, line: bytes) -> None:
    with path.open("ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else b"\n" + line  # after a power failure the last one may be torn
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _rewrite(path: Path, records: Sequence[RunRecord]) -> None:
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as file:
        file.writelines(msgspec.json.encode(one) + b"\n" for one in records)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read_runs(folder: Path) -> list[RunRecord]:
    """The records of the store in `folder`, the oldest first; a line that was not written to its end is left out.

    Raises:
        DataError: there is a file that cannot be read.
    """
    path = folder / FILE_NAME
    if not os.path.lexists(path):
        return []
    found = []
    for line in plain_file.read(path, 2 * LARGEST_BYTES, DataError).splitlines():
        try:
            found.append(_decoder.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return found


def run_of(records: Sequence[RunRecord], configuration_id: str, utc_ns: int) -> tuple[RunRecord, RunRecipe] | None:
    """The newest record, up to that time, of a process that had this recipe, and the recipe in it; None where there is none."""
    for record in reversed(records):
        if record.began_utc_ns <= utc_ns:
            for recipe in record.recipes:
                if recipe.configuration_id == configuration_id:
                    return record, recipe
    return None


def _processor() -> str:
    """The model's name, as /proc/cpuinfo has it on most machines."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return f"{names[0] if names else platform.processor() or 'unknown'} ({platform.machine()})"


_decoder = msgspec.json.Decoder(RunRecord)
