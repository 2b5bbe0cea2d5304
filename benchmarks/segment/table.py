"""The records as tables: plain text for the terminal, Markdown for docs/methods.md."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.methods.table import NONE_YET
from benchmarks.report import table_text
from benchmarks.segment.part_sets import RANDOM, RENDERED, TILES, Scale
from benchmarks.segment.results import WHOLE, ZEROED, Record, Records, valid
from benchmarks.segment.variants import Variant, trainings
from training.segment_score import SegmentReport

MARKS = ("<!-- segment: written by python -m benchmarks.segment -->", "<!-- end of segment -->")
PUBLISHED = {"PGA-Net": 71.31, "DEU-Net": 66.94}  # mean IoU over the kinds, percent, random splits
_TITLES = {WHOLE: "", ZEROED: ", its heatmap zeroed"}
Value = Callable[[SegmentReport], float | None]
Column = tuple[str, Value, Callable[[Sequence[float]], str]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what was found on the folds that are there."""

    title: str
    records: tuple[Record, ...]
    how: str = WHOLE

    def of(self, value: Value) -> list[float]:
        """One figure, for every fold that has it."""
        found = (value(record.found[self.how].figures) for record in self.records)
        return [one for one in found if one is not None]


@dataclass(frozen=True, slots=True)
class Table:
    """One of the tables."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(variants: Sequence[Variant], scale: Scale, records: Records) -> list[Table]:
    """All of them."""
    found = []
    for name, title in ((TILES, "Magnetic tiles, divided by tile"), (RENDERED, "Rendered parts")):
        rows = list(rows_of(variants, scale, records, name))
        found += [_table(f"{title}: pixels", rows, _PIXELS), _table(f"{title}: parts", rows, _PARTS)]
        found.append(_costs(f"Costs, {title.lower()}", rows))
    by_tile = list(rows_of(variants, scale, records, TILES))
    found.append(_kinds("Magnetic tiles, IoU of each kind, divided by tile", by_tile))
    by_image = list(rows_of(variants, scale, records, RANDOM))
    found.append(_kinds("Magnetic tiles, IoU of each kind, divided image by image", by_image, PUBLISHED))
    return found


def text(variants: Sequence[Variant], scale: Scale, records: Records) -> str:
    """For the terminal."""
    lines = [f"{one.title}\n\n{table_text(one.columns, one.rows)}" for one in tables(variants, scale, records)]
    return "\n\n".join([*lines, _weights(records)])


def markdown(variants: Sequence[Variant], scale: Scale, records: Records) -> str:
    """For the page."""
    parts = [_weights(records)]
    for one in tables(variants, scale, records):
        lines = [f"| {' | '.join(one.columns)} |", f"|---|{'---:|' * (len(one.columns) - 1)}"]
        lines += [f"| {' | '.join(row)} |" for row in one.rows]
        parts.append(f"**{one.title}**\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def rows_of(variants: Sequence[Variant], scale: Scale, records: Records, set_name: str) -> Iterator[Row]:
    """The lines of one set, with and without the heatmap where both were tried."""
    for variant in variants:
        if set_name not in variant.sets:
            continue
        wanted = trainings([variant], scale, sets=[set_name])
        there = tuple(record for one in wanted if (record := valid(one, records)) is not None)
        folds = f" ({len(there)} of {len(wanted)} folds)" if len(wanted) > 1 and there else ""
        yield Row(f"{variant.title}{folds}", there)
        for how in (ZEROED,):
            having = tuple(record for record in there if how in record.found)
            if having:
                yield Row(f"{variant.title}{_TITLES[how]}", having, how)


def _weights(records: Records) -> str:
    names = sorted({record.weights for record in records.values()})
    return f"Frozen weights: {', '.join(names) or 'none yet'}."


def _table(title: str, rows: Sequence[Row], columns: Sequence[Column]) -> Table:
    lines = [
        [row.title, *(write(row.of(value)) for _, value, write in columns)]
        if row.records
        else [row.title, NONE_YET, *[""] * (len(columns) - 1)]
        for row in rows
    ]
    return Table(title, ["", *(heading for heading, _, _ in columns)], lines)


def _costs(title: str, rows: Sequence[Row]) -> Table:
    """Of what is trained."""
    lines = []
    for row in rows:
        if not row.records:
            lines.append([row.title, NONE_YET, "", "", ""])
            continue
        if not row.records[0].parameters:
            continue
        mean = [
            statistics.mean(values)
            for values in zip(
                *((record.parameters, record.found[row.how].ms, record.minutes) for record in row.records), strict=True
            )
        ]
        rest = sorted({record.verdict for record in row.records if record.verdict})
        verdict = rest[0] if len(row.records) == 1 and rest else ""
        lines.append([row.title, f"{mean[0] / 1e6:.2f} M", f"{mean[1]:.1f}", f"{mean[2]:.1f}", verdict])
    heading = ["", "trained parameters", "ms of one core", "training, CPU minutes", "its course"]
    return Table(title, heading, lines)


def _kinds(title: str, rows: Sequence[Row], published: dict[str, float] | None = None) -> Table:
    kinds = sorted({kind for row in rows for record in row.records for kind in record.found[row.how].figures.kinds})
    lines = []
    for row in rows:
        if not row.records:
            lines.append([row.title, NONE_YET, *[""] * len(kinds)])
            continue
        cells = [_share(row.of(lambda one, kind=kind: one.kinds.get(kind))) for kind in kinds]  # type: ignore[misc]  # a default binds it
        lines.append([row.title, *cells, _share(row.of(lambda one: one.mean_iou))])
    for name, percent in (published or {}).items():
        lines.append([f"published: {name}", *["-"] * len(kinds), f"{percent:.2f}%"])
    return Table(title, ["", *kinds, "mean"], lines)


def _spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return _number(values)
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"


def _number(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3f}" if values else "-"


def _px(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.2f}" if values else "-"


def _share(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.2%}" if values else "-"


def _at(index: int, value: str) -> Value:
    """A rate at the detection of this index of DETECTIONS."""
    return lambda one: getattr(one.at_detection[index], value)


_PIXELS: Sequence[Column] = (
    ("IoU", lambda one: one.iou, _spread),
    ("F1", lambda one: one.f1, _number),
    ("AP", lambda one: one.pixel_ap, _number),
    ("AUPRO", lambda one: one.aupro, _number),
    ("boundary, px", lambda one: one.boundary_px, _px),
)
_PARTS: Sequence[Column] = (
    ("AUROC", lambda one: one.image_auroc, _spread),
    ("good with an alarm, 95% found", _at(0, "good_with_alarm"), _share),
    ("alarms per good part, 95% found", _at(0, "alarms_per_good_part"), _number),
    ("good with an alarm, 99% found", _at(1, "good_with_alarm"), _share),
    ("alarms per good part, 99% found", _at(1, "alarms_per_good_part"), _number),
    ("found at the limits", lambda one: one.at_limits.found, _share),
    ("good with an alarm there", lambda one: one.at_limits.good_with_alarm, _share),
)
