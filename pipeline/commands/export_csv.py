"""Results as CSV: one line each, a column for every measurement that occurs. Safe to open in a spreadsheet."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import BinaryIO

import msgspec

from pipeline.errors import JournalError
from pipeline.ledger.journal_export import Exported
from pipeline.result import Reason
from pipeline.result_text import reason_text

COLUMNS = (
    "time",
    "session",
    "seq",
    "trigger_number",
    "part_id",
    "product_id",
    "recipe_id",
    "result_evaluation",
    "disposition",
    "reasons",
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class Measured(msgspec.Struct, frozen=True):
    """What a column needs of a measurement."""

    name: str
    value: float | None = None
    view: str = ""


class Line(msgspec.Struct, frozen=True):
    """What a line needs of a result."""

    answered_time: str = ""
    trigger_number: int | None = None
    part_id: str = ""
    product_id: str = ""
    recipe_id: int = 0
    result_evaluation: str = ""
    disposition: str = ""
    reasons: list[Reason] = []
    measurements: list[Measured] = []


Column = tuple[str, str]  # name and view of a measurement
_decode = msgspec.json.Decoder(Line).decode


def columns_of(results: Iterable[Exported]) -> list[Column]:
    """Every measurement that occurs, in the order in which they first do. Raises JournalError."""
    found: dict[Column, None] = {}
    for result in results:
        found.update(((measured.name, measured.view), None) for measured in _line(result).measurements)
    return list(found)


class CsvWriter:
    """Writes results with a column for each measurement of `columns`."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._rows = Rows(file)
        named = Counter(name for name, _ in columns)
        titles = [f"{name} ({view})" if named[name] > 1 else name for name, view in columns]
        self._rows.write([*COLUMNS, *titles])

    def write(self, result: Exported) -> None:
        """Write one line. Raises JournalError."""
        line = _line(result)
        values = {(measured.name, measured.view): measured.value for measured in line.measurements}
        self._rows.write(
            [
                line.answered_time,
                result.session,
                result.seq,
                line.trigger_number,
                line.part_id,
                line.product_id,
                line.recipe_id,
                line.result_evaluation,
                line.disposition,
                "; ".join(reason_text(reason) for reason in line.reasons),
                *(values.get(column) for column in self._columns),
            ]
        )


class Rows:
    """CSV rows (RFC 4180, UTF-8, lines end in a newline); no text in them is taken for a formula."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writer = csv.writer(self, lineterminator="\n")

    def write(self, cells: "str | Sequence[str | int | float | None]") -> int:
        """Write a row; or, as the csv module calls it, the text of one."""
        if isinstance(cells, str):
            return self._file.write(cells.encode())
        self._writer.writerow([_harmless(cell) for cell in cells])
        return 0


def _harmless(cell: str | float | None) -> str | float | None:
    """Spreadsheets compute what begins like a formula; a quote before it makes it text (OWASP, CSV injection)."""
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r", " ")  # the csv module would not quote it, and many take it for the end of the line
    return f"'{text}" if cell.startswith(FORMULA_STARTS) else text


def _line(result: Exported) -> Line:
    try:
        return _decode(result.payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise JournalError(
            f"is no result of this version: {problem}", where=f"result {result.session}-{result.seq}"
        ) from None
