"""Records kept in a JSON file by key, that several processes may add to."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks.methods.sets import locked
from pipeline.errors import DataError

Kept = TypeVar("Kept", bound=msgspec.Struct)


def read_records(path: Path, record: type[Kept]) -> dict[str, Kept]:
    """All records by key; none where there is no file.

    Raises:
        DataError: it is no such file.
    """
    if not path.exists():
        return {}
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, record]])  # type: ignore[valid-type]  # a type at run time
        if set(found) != {"records"}:
            raise msgspec.ValidationError(f"has {', '.join(found) or 'nothing'} in place of records")
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise DataError(f"is no file of results: {problem}", where=str(path)) from None
    return found["records"]


def add_record(path: Path, key: str, record: Kept, lock: Path) -> None:
    """Put one record in, whoever else does so at the same time; a kill leaves the old file or the new one."""
    with locked(lock):
        records = {**read_records(path, type(record)), key: record}
        text = msgspec.json.encode({"records": dict(sorted(records.items()))})
        beside = path.with_name(f"{path.name}.part")
        beside.write_bytes(msgspec.json.format(text, indent=1) + b"\n")
        beside.replace(path)
