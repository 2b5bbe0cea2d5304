"""How every benchmark reports: one table, one closing line of its figures, and an exit code held to the budgets."""

import argparse
import json
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BUDGETS = Path(__file__).with_name("budgets.toml")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number that a budget may hold to a bar; its name carries the unit (`overhead_us`, `memory_mib`)."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What a benchmark found: a table for people and the figures that stand for it.

    Args:
        title: what was measured and under which circumstances, one line.
        columns: the headings of the table.
        rows: one sequence of cells for each line of the table; floats are printed with four significant digits.
        figures: the numbers that go to the closing line, the JSON file and the budgets.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float]]
    figures: Sequence[Figure]


def main(name: str, measure: Callable[[bool], Measured], argv: Sequence[str] | None = None) -> int:
    """Runs one benchmark from its command line.

    Args:
        name: the benchmark's name, its section in budgets.toml.
        measure: measures; its argument says whether to be quick (under 2 minutes).
        argv: the words after the program's name; by default those of this process.

    Returns:
        The exit code: 0, or 1 when a figure is outside its budget or a budget has no figure.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=(measure.__doc__ or "").strip())
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: under 2 minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE as well")
    options = parser.parse_args(argv)
    measured = measure(options.quick)
    figures = {figure.name: figure.value for figure in measured.figures}
    faults = faults_of(figures, budgets_of(name))
    print(f"{measured.title}\n\n{table_text(measured.columns, measured.rows)}\n")
    for fault in faults:
        print(f"outside the budget: {fault}", file=sys.stderr)
    if options.json:
        record = {"benchmark": name, "quick": options.quick, "figures": figures, "outside_budget": faults}
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"{name}: " + ", ".join(f"{key} {cell_text(value)}" for key, value in figures.items()), flush=True)
    return 1 if faults else 0


def budgets_of(name: str, file: Path = BUDGETS) -> Mapping[str, float]:
    """The bars of one benchmark, `FIGURE_min` or `FIGURE_max` to its value; empty when it has none.

    Raises:
        ValueError: a key names neither a least nor a greatest value.
    """
    bars = tomllib.loads(file.read_text(encoding="utf-8")).get(name, {})
    for key in bars:
        if not key.endswith(("_min", "_max")):
            msg = f"{file.name}: [{name}] {key}: a bar ends in _min or _max"
            raise ValueError(msg)
    return {key: float(value) for key, value in bars.items()}


def faults_of(figures: Mapping[str, float], bars: Mapping[str, float]) -> list[str]:
    """One line for each bar that is broken, or whose figure was not measured."""
    faults = []
    for key, bar in bars.items():
        name, kind = key[:-4], key[-3:]
        value = figures.get(name)
        if value is None:
            faults.append(f"{key} = {bar:g}: {name} was not measured")
        elif not (value >= bar if kind == "min" else value <= bar):  # a NaN is outside every budget
            faults.append(f"{key} = {bar:g}: {name} is {cell_text(value)}")
    return faults


def table_text(columns: Sequence[str], rows: Sequence[Sequence[str | float]]) -> str:
    """A table of plain text: the first column to the left, the others to the right."""
    lines = [list(columns), *([cell_text(cell) for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("  ".join(_aligned(line, widths)) for line in lines)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(cells, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]


def cell_text(cell: str | float) -> str:
    """Text as it is; a number with four significant digits, whole from 1000 on."""
    if isinstance(cell, str):
        return cell
    return f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.4g}"
