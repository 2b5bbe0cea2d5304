"""Readings of a study as CSV, a line each: which part, in which loading, the how-manieth time, and what was measured."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError

PASSED, REJECTED = "OK", "NOT_OK"


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement of one inspection.

    Attributes:
        part, loading, repeat: which; loading is who or how the part was put in.
        value: in ``unit``; NaN where the measurement could not be taken.
        reference: what the part truly measures there; None where that is not known.
        lower, upper: limits of the tolerance.
        verdict: of this measurement: OK, NOT_OK, NOT_DECIDABLE or UNDEFINED.
        session, seq: the result that it stands in.
        recipe, configuration: name and number of the recipe that it was made by, and the hash of all its files.
    """

    measurement: str
    part: str
    loading: str = "1"
    repeat: int = 1
    value: float = math.nan
    unit: str = ""
    reference: float | None = None
    lower: float | None = None
    upper: float | None = None
    verdict: str = ""
    time: str = ""
    session: int = 0
    seq: int = 0
    recipe: str = ""
    configuration: str = ""

    @property
    def cell(self) -> tuple[str, str, int]:
        """Its place in the study."""
        return self.part, self.loading, self.repeat


COLUMNS = tuple(field.name for field in fields(Reading))
_NUMBERS = ("value", "reference", "lower", "upper")
_WHOLE = ("repeat", "session", "seq")


class ReadingsFile:
    """A study under way: every inspection is on the disk before the next one begins."""

    def __init__(self, path: Path) -> None:
        """Go on with the study at ``path``, or begin it. Raises DataError where it is none, or cannot be written."""
        self.readings = read(path) if path.exists() else []
        try:
            whole = _whole_lines(path)
            self._file = path.open("r+" if whole is not None else "w", newline="", encoding="utf-8")
            if whole is not None:  # a line that was being written when the power went is written again
                self._file.seek(whole)
                self._file.truncate()
        except OSError as problem:
            raise DataError(f"cannot be written: {problem.strerror}", where=str(path)) from None
        self._writer, self._path = csv.writer(self._file), path
        if not whole:
            self._writer.writerow(COLUMNS)

    def add(self, readings: Sequence[Reading]) -> None:
        """Those of one inspection. Raises DataError where they cannot be written."""
        try:
            self._writer.writerows([["" if one is None else one for one in astuple(each)] for each in readings])
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as problem:
            raise DataError(f"cannot be written: {problem.strerror}", where=str(self._path)) from None
        self.readings += readings

    def close(self) -> None:
        """Let go."""
        self._file.close()


def read(path: Path) -> list[Reading]:
    """Readings from a CSV with a heading; ``part`` must be there, and ``value`` or ``verdict``; other columns are overlooked.

    Raises:
        DataError: it cannot be read, or a line cannot be understood; names the line.
    """
    try:
        end = _whole_lines(path)
        text = path.read_bytes()[:end].decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise DataError(f"cannot be read: {problem}", where=str(path)) from None
    rows = csv.DictReader(text.splitlines())
    names = set(rows.fieldnames or ())
    if "part" not in names or not names & {"value", "verdict"}:
        raise DataError(
            f"its first line names {', '.join(rows.fieldnames or ()) or 'nothing'}",
            where=str(path),
            allowed="columns part, value (or verdict), and any of " + ", ".join(COLUMNS),
        )
    return [_reading(path, number, row) for number, row in enumerate(rows, 2)]


def by_measurement(readings: Iterable[Reading]) -> dict[str, list[Reading]]:
    """The readings of each measurement, in their order."""
    found: dict[str, list[Reading]] = {}
    for reading in readings:
        found.setdefault(reading.measurement, []).append(reading)
    return found


def crossed(readings: Sequence[Reading]) -> tuple[NDArray[np.float64], list[str], list[str]]:
    """The values as (parts, loadings, repeats), with the names of parts and loadings.

    Raises:
        DataError: a part was not measured as often in one loading as in another, or a value is missing; names it.
    """
    cells: dict[tuple[str, str], list[float]] = {}
    for one in readings:
        cells.setdefault((one.part, one.loading), []).append(one.value)
    parts = list(dict.fromkeys(part for part, _ in cells))
    loadings = list(dict.fromkeys(loading for _, loading in cells))
    repeats = max(map(len, cells.values()))
    for part in parts:
        for loading in loadings:
            good = sum(map(math.isfinite, cells.get((part, loading), [])))
            if good != repeats:
                raise DataError(
                    f"part {part}, loading {loading} has {good} values, others have {repeats}",
                    where=readings[0].measurement,
                    allowed="every part in every loading as often as any other",
                    next_command="measure it again with datumd gauge record, or leave that part out",
                )
    values = np.array([[cells[part, loading] for loading in loadings] for part in parts], np.float64)
    return values, parts, loadings


def _reading(path: Path, number: int, row: dict[str, str]) -> Reading:
    given: dict[str, object] = {}
    for name in COLUMNS:
        text = (row.get(name) or "").strip()
        if not text:
            continue
        try:
            given[name] = float(text) if name in _NUMBERS else int(text) if name in _WHOLE else text
        except ValueError:
            raise DataError(f"{name} is {text!r}", where=f"{path}:{number}", allowed="a number") from None
    if "part" not in given:
        raise DataError("has no part", where=f"{path}:{number}", allowed="the name of the part in every line")
    return Reading(**{"measurement": "value", **given})  # type: ignore[arg-type]  # each of its column's kind


def _whole_lines(path: Path) -> int | None:
    """Bytes up to the end of the last whole line; None where there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return content.rfind(b"\n") + 1 if content else 0
