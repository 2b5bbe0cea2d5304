"""A network compiled for one GPU, as it lies in the station's cache, and the note beside it that says what it is of."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from engines.errors import EngineRefused, EngineUnavailable

FORMAT = 1
PART = ".part"  # the end of the name of a file that is being written
NAME_DIGITS = 16  # of a hash, in a file's name; the note holds all of them


@dataclass(frozen=True, slots=True)
class Machine:
    """What a plan can be used on; with another of these it is stale."""

    tensorrt: str
    driver: str
    gpu: str
    capability: str


@dataclass(frozen=True, slots=True)
class Profile:
    """The batch sizes that a plan takes, from 1 to `most`; it is tuned for `usual`."""

    usual: int
    most: int


@dataclass(frozen=True, slots=True)
class PlanNote:
    """What a plan was made of: JSON beside it. The hash is of the ONNX file, so that it stands for the precision, too."""

    network_sha256: str
    precision: str
    machine: Machine
    profile: Profile
    plan_sha256: str

    def text(self) -> str:
        """As it is written."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that fits the network and the machine at hand."""

    plan: bytes
    note: PlanNote


def find_plan(folder: Path | None, network_sha256: str, machine: Machine) -> Plan:
    """The plan of a network for this machine.

    Raises:
        EngineUnavailable: there is none, or it is of another machine, another version, or was changed since it was made.
    """
    path = None if folder is None else plan_path(folder, network_sha256, machine)
    try:
        note = None if path is None else _read_note(_note_path(path))
        if path is None or note is None:
            raise EngineUnavailable(f"there is no plan of TensorRT for it{_why(folder, network_sha256, machine)}")
        plan = path.read_bytes()
    except OSError as problem:
        raise EngineUnavailable(
            f"its plan of TensorRT cannot be read ({problem.strerror}: {problem.filename})"
        ) from None
    if (note.network_sha256, note.machine) != (network_sha256, machine):
        raise EngineUnavailable(f"the note beside its plan of TensorRT is of another one ({path})")
    if hashlib.sha256(plan).hexdigest() != note.plan_sha256:
        raise EngineUnavailable(f"its plan of TensorRT is not the one that was made ({path})")
    return Plan(plan, note)


def has_plan(folder: Path, network_sha256: str = "") -> bool:
    """Whether a note lies there, of this network if one is named: `find_plan` says whether its plan can be used here."""
    try:
        return any(folder.glob(f"{network_sha256[:NAME_DIGITS]}*-*.json"))
    except OSError:  # a folder that may not be read
        return False


def is_current(folder: Path, network_sha256: str, machine: Machine, profile: Profile) -> bool:
    """Whether a good plan is there, made for these batch sizes."""
    try:
        return find_plan(folder, network_sha256, machine).note.profile == profile
    except EngineUnavailable:
        return False


def write_plan(folder: Path, plan: bytes, note: PlanNote) -> Path:
    """Put a plan into the cache, the note last, and remove the network's stale ones. A kill leaves nothing that is used.

    Raises:
        EngineRefused: it cannot be written.
    """
    path = plan_path(folder, note.network_sha256, note.machine)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_parts(folder)
        # An old note beside a new plan, or the other way about, is refused by the plan's hash.
        _write(path, plan)
        _write(_note_path(path), note.text().encode())
        for stale in folder.glob(f"{note.network_sha256[:NAME_DIGITS]}-*"):
            if stale.stem != path.stem:
                stale.unlink(missing_ok=True)
    except OSError as problem:
        raise EngineRefused(f"its plan cannot be written ({problem.strerror}: {problem.filename})") from None
    return path


def plan_path(folder: Path, network_sha256: str, machine: Machine) -> Path:
    """Where the plan of a network for a machine lies."""
    key = hashlib.sha256(json.dumps(asdict(machine), sort_keys=True).encode()).hexdigest()
    return folder / f"{network_sha256[:NAME_DIGITS]}-{key[:NAME_DIGITS]}.plan"


def _note_path(plan: Path) -> Path:
    return plan.with_suffix(".json")


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}{PART}")  # two may build at once
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _remove_parts(folder: Path) -> None:
    """What builds that were killed while they wrote have left."""
    for part in folder.glob(f".*{PART}"):
        pid = part.name.removesuffix(PART).rpartition(".")[2]
        if not (pid.isdecimal() and Path("/proc", pid).exists()):
            part.unlink(missing_ok=True)


def _read_note(path: Path) -> PlanNote | None:
    """A note, or None where there is none that can be understood."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("format") != FORMAT:
            return None
        machine, profile = Machine(**found.pop("machine")), Profile(**found.pop("profile"))
        return PlanNote(**found, machine=machine, profile=profile)
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _why(folder: Path | None, network_sha256: str, machine: Machine) -> str:
    """What the plans of this network that are there were made for instead, if any are."""
    wanted = asdict(machine)
    others = [] if folder is None else list(_notes(folder, network_sha256))
    apart = [
        f"{name} {value} where this is {wanted[name]}"
        for note in others[:1]
        for name, value in asdict(note.machine).items()
        if value != wanted[name]
    ]
    return f": the one that is there was made with {', '.join(apart)}" if apart else ""


def _notes(folder: Path, network_sha256: str) -> Iterator[PlanNote]:
    for path in sorted(folder.glob(f"{network_sha256[:NAME_DIGITS]}-*.json")):
        note = _read_note(path)
        if note is not None and note.network_sha256 == network_sha256:
            yield note
