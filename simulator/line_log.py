"""The line's own log, one JSON object per line: what really happened, to compare with what the daemon answered.

An edge: ``{"trigger_number", "monotonic_ns", "utc", "part_id", "devices", "counters", "picture", "seed"?, "faults"}``.
Beside edges stand software triggers (``"software": true``), cameras that were lost or hung (``"event"``) and, at the very
end, ``{"closed": true, "triggers": N, "parts": P, "cameras": {…}}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from pipeline.errors import DatumdError


@dataclass(frozen=True, slots=True)
class LoggedEdge:
    """One edge of the line.

    Attributes:
        trigger_number: 1, 2, …: edges of the line, with or without a part.
        monotonic_ns: CLOCK_MONOTONIC of the edge.
        part_id: the part that caused it; None for an extra edge.
        devices: serial numbers of the cameras that are wired to it.
        counters: what each camera's line counter read after it.
        seed: for ``PartRenderer.render``, when parts are rendered.
        faults: fault name to the indices of the cameras it struck.
    """

    trigger_number: int
    monotonic_ns: int
    part_id: str | None
    devices: tuple[str, ...]
    counters: dict[str, int]
    seed: int | None
    faults: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class LineLog:
    """A whole log. ``triggers`` is None while the line is still running, or was killed."""

    edges: tuple[LoggedEdge, ...]
    software: tuple[tuple[str, int], ...]
    """Serial number and software trigger number."""
    triggers: int | None


class LogWriter:
    """Appends records, each written out at once so that a killed line leaves what it did."""

    def __init__(self, path: Path | None) -> None:
        try:
            self._file: TextIO | None = path.open("w", encoding="utf-8", buffering=1) if path else None
        except OSError as error:
            raise DatumdError(f"cannot write the line's log: {error.strerror}", where=str(path)) from error

    def write(self, record: Mapping[str, object]) -> None:
        """Append one record."""
        if self._file is not None:
            self._file.write(json.dumps(record) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def utc_text() -> str:
    """Now, RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_log(path: Path) -> LineLog:
    """Read a log; a last line that was cut off by a kill is left out.

    Raises:
        DatumdError: no such file, or a line inside it is not of this log.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise DatumdError(f"cannot read the line's log: {error.strerror}", where=str(path)) from error
    edges: list[LoggedEdge] = []
    software: list[tuple[str, int]] = []
    triggers = None
    for number, line in enumerate(lines[:-1], start=1):
        try:
            record: dict[str, Any] = json.loads(line)
            if record.get("closed"):
                triggers = int(record["triggers"])
            elif "event" in record:
                continue
            elif record.get("software"):
                software.append((record["device"], record["number"]))
            else:
                edges.append(_edge(record))
        except (ValueError, KeyError, AttributeError) as error:
            raise DatumdError(f"line {number} is none of a line's log", where=str(path)) from error
    return LineLog(tuple(edges), tuple(software), triggers)


def _edge(record: dict[str, Any]) -> LoggedEdge:
    return LoggedEdge(
        trigger_number=record["trigger_number"],
        monotonic_ns=record["monotonic_ns"],
        part_id=record["part_id"],
        devices=tuple(record["devices"]),
        counters=record["counters"],
        seed=record.get("seed"),
        faults=record["faults"],
    )
