"""`datumd bundle`: what somebody who helps needs to know of a station, in one file without secrets."""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, DatumdError

if TYPE_CHECKING:
    from pipeline.config import Station

RESULTS = 200
MOST_AUDITS = 1000
LOG_LINES = 2000
LOG_S = 20
SECRET = re.compile(r"(pass|secret|token|credential|(^|_)key$)", re.IGNORECASE)
LOGIN = re.compile(r"://[^\s\"'<>]*@")  # as far as the last @: a password may hold one, or a slash
QUERY = re.compile(r"(://[^\s\"'<>?]*)\?[^\s\"'<>]*")
LEFT_OUT = "(left out)"
EXAMPLES = """\
Example: datumd bundle station.toml -o support.zip

In it: the station file without comments, passwords, tokens and the names of key files; recipe.toml and recipe.lock of every
recipe, no networks; what ran, the last 200 results, the last 1,000 changes; the last 2,000 lines of the log where systemd has
it; the machine, its memory and disks, versions. No image, no key. Results hold part ids: look into the file before it leaves
the house.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "bundle",
        help="write what support needs into one file, without secrets",
        description="Write configuration, recipes, last results, changes, log and machine of a station into one file for "
        "whoever helps. What cannot be had is told in it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "station", nargs="?", type=Path, default=Path("station.toml"), help="the station file (default: %(default)s)"
    )
    parser.add_argument("--output", "-o", type=Path, required=True, metavar="FILE.zip", help="write to FILE.zip")
    parser.add_argument("--force", action="store_true", help="replace FILE.zip where there is one")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write it. Raises ConfigError: no station file, or the zip cannot be written; what else is wrong is what it is for."""
    from pipeline.commands.whole_file import whole_file

    if not args.station.is_file():
        raise ConfigError("there is no such file", where=str(args.station), next_command="datumd bundle STATION.toml")
    contents: dict[str, Callable[[], bytes]] = {
        "station.json": lambda: _station_file(args.station),
        "machine.json": _machine,
    }
    try:
        contents |= _of_station(args.station)
    except DatumdError as problem:
        faults = [f"station file: {problem}"]
    else:
        faults = []
    with whole_file(args.output, force=args.force) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            try:
                found = content()
            except (OSError, DatumdError, subprocess.SubprocessError) as problem:
                faults.append(f"{name}: {problem}")
            else:
                archive.writestr(name, found)
        archive.writestr("missing.txt", "".join(f"{fault}\n" for fault in faults) or "nothing\n")
    for fault in faults:
        print(f"missing: {fault}")
    print(f"written: {args.output}; look into it before it leaves the house")
    return 0


def _of_station(path: Path) -> dict[str, Callable[[], bytes]]:
    from pipeline.config import load_station
    from pipeline.evidence.recipe_store import RecipeStore
    from pipeline.evidence.run_record import FILE_NAME
    from pipeline.runtime import state_place

    station = load_station(path)
    state = state_place(station)
    found: dict[str, Callable[[], bytes]] = {
        "results.jsonl": lambda: _results(state),
        "audit.jsonl": lambda: _audit(state),
        "log.txt": lambda: _log(station),
        "runs.jsonl": (RecipeStore.of(state).folder / FILE_NAME).read_bytes,
        "disks.json": lambda: _disks(state, Path(station.recipes)),
    }
    for recipe in sorted(Path(station.recipes).glob("*/recipe.*")):
        if recipe.is_file() and recipe.name in ("recipe.toml", "recipe.lock"):
            found[f"recipes/{recipe.parent.name}/{recipe.name}"] = recipe.read_bytes
    return found


def without_secrets(value: object, key: str = "") -> object:
    """A table or value with what may be secret left out: by its key, and logins in addresses."""
    if isinstance(value, dict):
        return {name: without_secrets(one, name) for name, one in value.items()}
    if SECRET.search(key):
        return LEFT_OUT
    if isinstance(value, list):
        return [without_secrets(one, key) for one in value]
    return _without_logins(value) if isinstance(value, str) else value


def _without_logins(text: str) -> str:
    """Without logins and queries in addresses: cameras take passwords in both."""
    return QUERY.sub(rf"\1?{LEFT_OUT}", LOGIN.sub(f"://{LEFT_OUT}@", text))


def _station_file(path: Path) -> bytes:
    from pipeline import toml_file

    table = without_secrets(toml_file.read_table(path, ConfigError))
    return json.dumps(table, indent=1, default=str).encode()


def _results(state: Path) -> bytes:
    from pipeline.ledger.journal_reader import JournalReader

    reader = JournalReader.open(state)
    try:
        payloads = reader.newest(RESULTS)
    finally:
        reader.close()
    return b"".join(payload + b"\n" for payload in payloads)


def _audit(state: Path) -> bytes:
    import msgspec

    from pipeline.ledger.journal_reader import JournalReader

    reader = JournalReader.open(state)
    try:
        lines = (msgspec.json.encode(entry).decode() for entry in reader.audits(MOST_AUDITS))
        return "".join(f"{_without_logins(line)}\n" for line in lines).encode()
    finally:
        reader.close()


def _log(station: "Station") -> bytes:
    program = shutil.which("journalctl")
    if program is None:
        raise ConfigError("there is no journalctl here", where="log")
    command = [program, "--unit", f"datumd@{station.station}", "--lines", str(LOG_LINES), "--no-pager"]
    text = subprocess.run(command, capture_output=True, timeout=LOG_S, check=False).stdout
    return _without_logins(text.decode("utf-8", "replace")).encode()


def _machine() -> bytes:
    from importlib import metadata

    from pipeline.evidence.run_record import this_machine

    machine = this_machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = {
        "processor": machine.processor,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.platform(),
        "libraries": machine.libraries,
        "packages": sorted(f"{one.name}=={one.version}" for one in metadata.distributions()),
    }
    return json.dumps(found, indent=1).encode()


def _disks(*folders: Path) -> bytes:
    found = {}
    for folder in (*folders, Path("/dev/shm")):  # noqa: S108 - looked at, not written to
        if folder.exists():  # a station that has not run yet has no journal's folder
            usage = shutil.disk_usage(folder)
            found[str(folder)] = {"total_gb": usage.total / 1e9, "free_gb": usage.free / 1e9}
    return json.dumps(found, indent=1).encode()
