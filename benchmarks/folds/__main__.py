"""Keypoints on photographs, cross-validated: each fold is judged by networks that saw neither it nor near-duplicates of it.

    python -m benchmarks.folds openfield --data DIR

The photographs are not in this repository. Results are kept in docs/folds-results.json by what decides them; a run that was
killed goes on, and two processes may be started side by side.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import msgspec
import torch

from benchmarks.folds import fold_table
from benchmarks.folds.fold import Plan, plan, run_fold
from benchmarks.folds.fold_results import RESULTS, FoldRecord, read
from benchmarks.folds.photo_set import SETS
from benchmarks.methods.results_file import add_record
from benchmarks.methods.sets import claimed
from benchmarks.methods.table import PAGE, write
from benchmarks.report import budgets_of, cell_text, faults_of, table_text
from pipeline.errors import DataError, DatumdError

CACHE = Path.home() / ".cache" / "datumd" / "folds"
COUNT = 5
MARKS = ("<!-- folds: written by python -m benchmarks.folds -->", "<!-- end of the folds -->")


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing of a set and print the table. Returns the exit code."""
    options = _options(argv)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    try:
        if options.cached:
            return _report(read(RESULTS), list(SETS), options.json)
        if options.set is None or options.data is None:
            raise DataError("a set and --data are wanted", allowed=f"{', '.join(SETS)} and the folder it lies in")
        photos = SETS[options.set]
        chosen = plan(photos, options.data, options.method or photos.method, COUNT, options.init)
        numbers = range(COUNT) if options.fold is None else [options.fold]
        if options.quick:
            with tempfile.TemporaryDirectory(prefix="datumd-folds-") as scratch:
                records = fill(quick(chosen), [0], Path(scratch), Path(scratch) / "results.json")
            print(table_text(fold_table.COLUMNS, fold_table.rows(photos.name, records)))
            print("\nfolds: a quick run; its figures mean nothing", flush=True)
            return 0
        records = fill(chosen, numbers, options.cache, RESULTS)
        write(PAGE, fold_table.markdown(records), MARKS)
        return _report(records, [photos.name], options.json)
    except DatumdError as error:
        sys.stderr.write(f"benchmarks.folds: {error}\n")
        return 2


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.folds", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", nargs="?", choices=list(SETS), help="which photographs")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the set: annotations.json and images/")
    parser.add_argument("--fold", type=int, choices=range(COUNT), metavar="I", help=f"one fold alone, 0 to {COUNT - 1}")
    parser.add_argument("--method", type=Path, metavar="FILE", help="in place of training/methods/SET.toml")
    parser.add_argument("--init", type=Path, metavar="FILE", help="weights to start from")
    parser.add_argument("--cached", action="store_true", help="train nothing: the table of what is there")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="DIR", help="trainings (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures that have a bar to FILE as well")
    parser.add_argument("--quick", action="store_true", help="a few steps on one fold; kept nowhere")
    return parser.parse_args(argv)


def fill(chosen: Plan, numbers: Sequence[int], cache: Path, results: Path) -> Mapping[str, FoldRecord]:
    """Train what is missing of the folds ``numbers``; what another process has in hands is left to it."""
    for number in numbers:
        key, digest = chosen.key(number), chosen.digest(number)
        with claimed(cache / "claims" / f"{key.replace('/', '-')}.lock") as mine:
            there = read(results).get(key)
            if not mine:
                _say(f"{key}: another process has it in hands")
            elif there is None or there.digest != digest:
                record = run_fold(chosen, number, cache, partial(_say_of, key))
                add_record(results, key, record, cache / "results.lock")
    return read(results)


def quick(chosen: Plan) -> Plan:
    """The same with a few steps."""
    method = chosen.method
    change = msgspec.structs.replace
    few = change(
        method,
        coarse=change(method.coarse, steps=6, batch=4),
        cascade=None if method.cascade is None else change(method.cascade, steps=6, batch=4),
        refine=None if method.refine is None else change(method.refine, steps=6, frames=2, folds=0),
    )
    return Plan(chosen.photos, chosen.dataset, few, {"quick": True}, chosen.alike, chosen.shares, chosen.init)


def _report(records: Mapping[str, FoldRecord], names: Sequence[str], json_file: Path | None) -> int:
    """Print what there is of the sets ``names``, held to their bars."""
    lines = [line for name in names for line in fold_table.rows(name, records)]
    print(table_text(fold_table.COLUMNS, lines) if lines else "nothing measured yet")
    of_names = tuple(f"{name}_" for name in names)
    found = {key: value for key, value in fold_table.bars(records, COUNT).items() if key.startswith(of_names)}
    bars = {key: bar for key, bar in budgets_of("folds").items() if key.startswith(of_names)}
    faults = faults_of(found, bars)
    for fault in faults:
        print(f"outside the budget: {fault}", file=sys.stderr)
    if json_file:
        record = {"benchmark": "folds", "quick": False, "figures": found, "outside_budget": faults}
        json_file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print("\nfolds: " + (", ".join(f"{name} {cell_text(value)}" for name, value in found.items()) or "nothing yet"))
    return 1 if faults else 0


def _say_of(key: str, line: str) -> None:
    _say(f"{key}: {line}")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
