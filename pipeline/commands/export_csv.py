"""Results as CSV: one line each, columns for every measurement that occurs and for defects. Safe to open in a spreadsheet."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
DEFECT_COLUMNS = ("defects", "largest_defect_mm2", "largest_defect_px2")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class Measured(msgspec.Struct, frozen=True):
    """What a column needs of a measurement."""

    name: str
    value: float | None = None
    view: str = ""


class DefectSize(msgspec.Struct, frozen=True):
    """What a line needs of a defect."""

    area_px: float
    area_mm2: float | None = None


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
    defects: list[DefectSize] = []
    stages_ns: dict[str, int] = {}

    @property
    def is_searched(self) -> bool:
        """Whether defects were looked for."""
        return "segment" in self.stages_ns


Column = tuple[str, str]  # name and view of a measurement
_decode = msgspec.json.Decoder(Line).decode


@dataclass(frozen=True, slots=True)
class Columns:
    """Every measurement that occurs, in the order in which they first do, and whether defects were ever looked for."""

    measurements: list[Column]
    defects: bool


def columns_of(results: Iterable[Exported]) -> Columns:
    """The columns that these results need. Raises JournalError."""
    found: dict[Column, None] = {}
    defects = False
    for result in results:
        line = _line(result)
        found.update(((measured.name, measured.view), None) for measured in line.measurements)
        defects = defects or line.is_searched
    return Columns(list(found), defects)


class CsvWriter:
    """Writes results with a column for each measurement of `columns`, then those of defects where it has them."""

    def __init__(self, file: BinaryIO, columns: Columns) -> None:
        self._columns = columns
        self._rows = Rows(file)
        named = Counter(name for name, _ in columns.measurements)
        titles = [f"{name} ({view})" if named[name] > 1 else name for name, view in columns.measurements]
        self._rows.write([*COLUMNS, *titles, *(DEFECT_COLUMNS if columns.defects else ())])

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
                *(values.get(column) for column in self._columns.measurements),
                *(_defects(line) if self._columns.defects else ()),
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


def _defects(line: Line) -> tuple[int | None, float | None, float | None]:
    """How many there are, and the largest in mm2 and px2; nothing where they were not looked for."""
    mm2 = max((one.area_mm2 for one in line.defects if one.area_mm2 is not None), default=None)
    px2 = max((one.area_px for one in line.defects), default=None)
    return len(line.defects) if line.is_searched else None, mm2, px2


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
