"""Teaching from one example: keypoints found by a marked image, and by words, on parts that were never taught.

    python -m benchmarks.teach --model DIR --data DIR

The model is a folder that `datumd train --method teach` wrote; the photographs (tubes, setsquare) are not in this repository, and
are left out without --data. Results are kept in docs/teach-results.json; --cached holds the bars to those, --quick takes few.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import msgspec
import torch

from benchmarks.report import budgets_of, faults_of, table_text
from benchmarks.teach.cases import Case, drawn_cases, hand_made_cases, photo_cases
from benchmarks.teach.measure import MODEL, WORDS, tallied
from pipeline.errors import ConfigError, DatumdError
from training.teach.teacher import Teacher

RESULTS = Path(__file__).parents[2] / "docs" / "teach-results.json"
DRAWN, HAND_MADE = "drawn families", "families of datumd render"
_PHOTOS = ("tubes", "setsquare")
_COLUMNS = ("set", "way", "keypoints", "PCK@0.1", "PCK@0.2", "names right", "AUC of confidence")


class Row(msgspec.Struct, frozen=True):
    """One way on one set."""

    set: str
    way: str
    keypoints: int
    pck_10: float
    pck_20: float
    names: float | None
    auc: float | None


class Results(msgspec.Struct, frozen=True):
    """All rows, and the models that made them."""

    language: str
    vision: str
    steps: int
    minutes: float
    rows: list[Row]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print the table. Returns the exit code."""
    options = _options(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        if options.cached:
            results = msgspec.json.decode(RESULTS.read_bytes(), type=Results)
        else:
            results = _measured(options)
            if not options.quick:
                RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    except DatumdError as error:
        sys.stderr.write(f"benchmarks.teach: {error}\n")
        return 2
    return _report(results, options)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.teach", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, metavar="DIR", help="folder of the model")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder that holds tubes/ and setsquare/")
    parser.add_argument("--quick", action="store_true", help="three families, nothing is kept")
    parser.add_argument("--cached", action="store_true", help="measure nothing, report what is kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE as well")
    return parser.parse_args(argv)


def _measured(options: argparse.Namespace) -> Results:
    if options.model is None:
        raise ConfigError("--model is missing", next_command="datumd train --method teach --llm DIR --out models/teach")
    teacher = Teacher.load(options.model)
    rows = _rows(teacher, DRAWN, drawn_cases(3) if options.quick else drawn_cases())
    if not options.quick:
        rows += _rows(teacher, HAND_MADE, hand_made_cases())
        for name in _PHOTOS if options.data is not None else ():
            rows += _rows(teacher, name, photo_cases(options.data / name))
    card = teacher.card
    return Results(card.language, card.vision, card.steps, card.minutes, rows)


def _rows(teacher: Teacher, name: str, cases: Iterable[Case]) -> list[Row]:
    return [
        Row(name, way, len(tally.off), tally.pck(0.1), tally.pck(0.2), tally.names, tally.auc)
        for way, tally in tallied(teacher, cases).items()
    ]


def _report(results: Results, options: argparse.Namespace) -> int:
    print(f"language: {results.language}; vision: {results.vision}; {results.steps} steps, {results.minutes} min\n")
    cells = [
        (row.set, row.way, str(row.keypoints), *(_share(v) for v in (row.pck_10, row.pck_20, row.names, row.auc)))
        for row in results.rows
    ]
    print(table_text(_COLUMNS, cells) + "\n")
    figures = _figures(results)
    faults = [] if options.quick else faults_of(figures, budgets_of("teach"))
    for fault in faults:
        print(f"outside the budget: {fault}", file=sys.stderr)
    if options.json:
        record = {"benchmark": "teach", "quick": options.quick, "figures": figures, "outside_budget": faults}
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print("teach: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()), flush=True)
    return 1 if faults else 0


def _figures(results: Results) -> dict[str, float]:
    """What the bars are set for."""
    rows = {(row.set, row.way): row for row in results.rows}
    figures: dict[str, float] = {}
    if (one := rows.get((DRAWN, MODEL))) is not None:
        figures |= {"one_shot_pck_10": one.pck_10, "one_shot_pck_20": one.pck_20, "names_right": one.names or 0.0}
    if (told := rows.get((DRAWN, WORDS))) is not None:
        figures["words_pck_10"] = told.pck_10
    return figures


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
