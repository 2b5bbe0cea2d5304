"""The records as tables: plain text for the terminal, Markdown between two marks of docs/methods.md."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.methods.decodings import FIRST, FITTED, REFINED
from benchmarks.methods.results import Decoding, Figures
from benchmarks.methods.schedule import Records, standing
from benchmarks.methods.sets import FINAL_HEAVY, FINAL_ORDINARY, HEAVY, ORDINARY, Sets
from benchmarks.methods.variants import Variant, setting_text, trials
from benchmarks.report import table_text
from pipeline.errors import DataError

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"
MARKS = ("<!-- table: written by python -m benchmarks.methods -->", "<!-- end of the table -->")
NONE_YET = "not measured yet"
_POINTS = {FIRST: "", REFINED: " ▸ S3", FITTED: " ▸ S3, shape fit in the loop"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a variant's networks run up to one point, over its seeds."""

    title: str
    decodings: tuple[Decoding, ...]
    minutes: float

    def of(self, where: str, value: Value) -> list[float]:
        """One figure on one set, for every seed that has it."""
        found = (value(each.sets[where]) for each in self.decodings if where in each.sets)
        return [one for one in found if one is not None]


@dataclass(frozen=True, slots=True)
class Table:
    """One of the tables. A variant without a record has a line that says so."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(variants: Sequence[Variant], sets: Sets, records: Records) -> list[Table]:
    """All of them."""
    rows = list(_rows(variants, sets, records))
    found = [
        _positions("Ordinary parts", rows, ORDINARY),
        _visibility("Visibility and sigma, ordinary parts", rows, ORDINARY),
        _occluded("Heavily occluded parts", rows, HEAVY),
        _costs("Costs", rows),
        _settings("Settings tried, first network, validation parts", variants, sets, records),
    ]
    final = [row for row in rows if row.of(FINAL_ORDINARY, lambda one: one.mean)]
    if final:
        found += [
            _positions("Best combination, ordinary parts that nothing was chosen by", final, FINAL_ORDINARY),
            _visibility("Its visibility and sigma there", final, FINAL_ORDINARY),
            _occluded("Its heavily occluded parts", final, FINAL_HEAVY),
        ]
    return found


def text(variants: Sequence[Variant], sets: Sets, records: Records) -> str:
    """For the terminal."""
    return "\n\n".join(f"{one.title}\n\n{table_text(one.columns, one.rows)}" for one in tables(variants, sets, records))


def markdown(variants: Sequence[Variant], sets: Sets, records: Records) -> str:
    """For the page."""
    parts = []
    for one in tables(variants, sets, records):
        lines = [f"| {' | '.join(one.columns)} |", f"|---|{'---:|' * (len(one.columns) - 1)}"]
        lines += [f"| {' | '.join(row)} |" for row in one.rows]
        parts.append(f"**{one.title}**\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def write(page: Path, content: str, marks: tuple[str, str] = MARKS) -> None:
    """Put ``content`` between the two ``marks`` of ``page``.

    Raises:
        DataError: it has not both.
    """
    old = page.read_text(encoding="utf-8")
    before, begin, rest = old.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise DataError(
            "has no place for the table", where=str(page), allowed=f"a line {marks[0]} and a line {marks[1]}"
        )
    page.write_text(f"{before}{begin}\n\n{content}\n\n{end}{after}", encoding="utf-8")


def _rows(variants: Sequence[Variant], sets: Sets, records: Records) -> Iterator[Row]:
    for variant in variants:
        now = standing(variant, sets, records)
        if not now.there:
            yield Row(variant.title, (), 0.0)
            continue
        seeds = f" ({len(now.there)} seeds)" if len(now.there) > 1 else ""
        minutes = statistics.mean(record.minutes for record in now.there)
        for name, suffix in _POINTS.items():
            having = tuple(record.decodings[name] for record in now.there if name in record.decodings)
            if having:
                yield Row(f"{variant.title}{suffix}{seeds if name == FIRST else ''}", having, minutes)


def _sets_table(title: str, first: str, rows: Sequence[Row], where: str, columns: Sequence[Column]) -> Table:
    lines = [
        _line(
            row, len(columns) + 1, [write(row.of(where, value)) for _, value, write in columns] if row.decodings else []
        )
        for row in rows
    ]
    return Table(title, [first, *(heading for heading, _, _ in columns)], lines)


def _positions(title: str, rows: Sequence[Row], where: str) -> Table:
    return _sets_table(title, "visible keypoints, px", rows, where, _POSITIONS)


def _visibility(title: str, rows: Sequence[Row], where: str) -> Table:
    return _sets_table(title, "", rows, where, _VISIBILITY)


def _occluded(title: str, rows: Sequence[Row], where: str) -> Table:
    return _sets_table(title, "", rows, where, _OCCLUDED)


def _costs(title: str, rows: Sequence[Row]) -> Table:
    return Table(
        title,
        ["", "parameters", "ms of one core", "training, CPU minutes"],
        [_line(row, 4, _cost(row) if row.decodings else []) for row in rows],
    )


def _cost(row: Row) -> list[str]:
    parameters = statistics.mean(one.parameters for one in row.decodings)
    return [f"{parameters / 1e6:.2f} M", _number([one.ms for one in row.decodings]), f"{row.minutes:.1f}"]


def _settings(title: str, variants: Sequence[Variant], sets: Sets, records: Records) -> Table:
    lines = []
    for variant in variants:
        now = standing(variant, sets, records)
        for index, training in enumerate(trials(variant, sets)):
            record = records.get(training.key)
            is_there = record is not None and record.digest == training.digest
            error = f"{record.validation_px:.2f}" if record is not None and is_there else NONE_YET
            taken = "taken" if now.setting == index else ""
            lines.append([f"{variant.title}: {setting_text(variant, index)}", error, taken])
    return Table(title, ["", "mean px", ""], lines)


def _line(row: Row, width: int, cells: list[str]) -> list[str]:
    return [row.title, *cells] if cells else [row.title, NONE_YET, *[""] * (width - 2)]


def _spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return _number(values)
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"


def _number(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.2f}" if values else "-"


def _share(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.1%}" if values else "-"


def _area(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.4f}" if values else "-"


Value = Callable[[Figures], float | None]
Column = tuple[str, Value, Callable[[Sequence[float]], str]]
_POSITIONS: Sequence[Column] = (
    ("mean", lambda one: one.mean, _spread),
    ("median", lambda one: one.median, _number),
    ("p95", lambda one: one.p95, _number),
    ("p99", lambda one: one.p99, _number),
    ("within 1 px", lambda one: one.within_1_px, _share),
    ("parts with one > 20 px", lambda one: one.failed, _share),
    ("mean over that from true starts", lambda one: one.over_true_start, _number),
)
_VISIBILITY: Sequence[Column] = (
    ("AUC", lambda one: one.auc, _area),
    ("missing apart", lambda one: one.auc_missing, _area),
    ("hidden apart", lambda one: one.auc_hidden, _area),
    ("false reject", lambda one: one.false_reject, _share),
    ("false accept", lambda one: one.false_accept, _share),
    ("of missing", lambda one: one.false_accept_missing, _share),
    ("of hidden", lambda one: one.false_accept_hidden, _share),
    ("within 1 sigma", lambda one: one.within_1_sigma, _share),
    ("within 2 sigma", lambda one: one.within_2_sigma, _share),
)
_OCCLUDED: Sequence[Column] = (
    ("occluded > 20 px", lambda one: one.occluded_off, _share),
    ("parts with any > 40 px", lambda one: one.gross_parts, _share),
    ("occluded, mean px", lambda one: one.occluded_mean, _number),
    ("visible, mean px", lambda one: one.mean, _number),
    ("visible, median px", lambda one: one.median, _number),
    ("AUC", lambda one: one.auc, _area),
    ("false reject", lambda one: one.false_reject, _share),
    ("false accept", lambda one: one.false_accept, _share),
)
