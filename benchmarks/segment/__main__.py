"""Defects: S4, its parts taken away, its ceiling and an ordinary U-Net, on photographs and on rendered parts.

    python -m benchmarks.segment --data DIR --sam DIR

DIR are the photographs of magnetic tiles, which are not in this repository, and the folder of a SAM, such as
examples/sam_tiny. Results are kept in docs/segment-results.json by what decides them, so that a row is trained again
only when its configuration or the SAM changed; a run that was killed goes on, and two may be started side by side.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import torch

from benchmarks.methods.results_file import add_record
from benchmarks.methods.sets import claimed
from benchmarks.methods.table import PAGE, write
from benchmarks.report import budgets_of, cell_text, faults_of
from benchmarks.segment import table
from benchmarks.segment.bars import bars
from benchmarks.segment.measure import Bench, measured
from benchmarks.segment.part_sets import FOLDS, FULL, QUICK, RENDERED, SETS
from benchmarks.segment.results import RESULTS, missing, read, valid
from benchmarks.segment.small_sam import quick_sam
from benchmarks.segment.variants import Training, Variant, chosen, read_variants, trainings
from pipeline.errors import ConfigError, DatumdError
from training.networks.sam import load_sam

CACHE = Path.home() / ".cache" / "datumd" / "segment"


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing and print the table. Returns the exit code."""
    options = _options(argv)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    try:
        variants = read_variants()
        some = chosen(variants, options.only)
        if options.quick:
            with tempfile.TemporaryDirectory(prefix="datumd-segment-") as scratch:
                return _quick(some, Path(scratch), options)
        wanted = trainings(some, FULL, sets=options.set, folds=options.fold)
        if options.list:
            print(_listed(wanted))
            return 0
        if not options.cached:
            if options.sam is None:
                raise ConfigError(
                    "--sam is missing",
                    next_command=f"datumd train --method sam_tiny --teacher FILE --out {CACHE / 'sam_tiny'}",
                )
            fill(wanted, Bench(options.cache, options.data, load_sam(options.sam), _say), RESULTS)
        return _report(variants, options)
    except DatumdError as error:
        sys.stderr.write(f"benchmarks.segment: {error}\n")
        return 2


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.segment", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="folder of the photographs, or the one that it lies in"
    )
    parser.add_argument("--sam", type=Path, metavar="DIR", help="folder of the SAM that is frozen")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this row; may be repeated")
    parser.add_argument("--set", action="append", default=[], choices=list(SETS), help="this set; may be repeated")
    parser.add_argument(
        "--fold",
        action="append",
        default=[],
        type=int,
        choices=range(FOLDS),
        metavar="I",
        help="this fold of the photographs",
    )
    parser.add_argument("--list", action="store_true", help="say what is there and what is missing")
    parser.add_argument("--cached", action="store_true", help="train nothing: the table of what is there")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="DIR", help="sets and trainings (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures that have a bar to FILE as well")
    parser.add_argument("--quick", action="store_true", help="a tiny version in some minutes; kept nowhere")
    return parser.parse_args(argv)


def fill(wanted: Sequence[Training], bench: Bench, results: Path) -> None:
    """Train what is missing, one after the other; what another process has in hands is left to it."""
    for training in wanted:
        if valid(training, read(results), bench.sam.weights) is not None:
            continue
        with claimed(bench.cache / "claims" / f"{training.key.replace('/', '-')}.lock") as mine:
            if not mine:
                bench.say(f"{training.key}: another process has it in hands")
            elif valid(training, read(results), bench.sam.weights) is None:  # it may have been finished a moment ago
                add_record(results, training.key, measured(training, bench), bench.cache / "results.lock")
        _tidy(training, bench, results)


def _tidy(training: Training, bench: Bench, results: Path) -> None:
    """Remove features that no row of the table is left to be trained from: another process may be at one that is."""
    folder = bench.features(training)
    every = trainings(read_variants(), training.scale, sets=[training.set_name], folds=[training.fold])
    if not missing([one for one in every if bench.features(one) == folder], read(results), bench.sam.weights):
        shutil.rmtree(folder, ignore_errors=True)


def _quick(variants: Sequence[Variant], scratch: Path, options: argparse.Namespace) -> int:
    sam = load_sam(options.sam) if options.sam else quick_sam(scratch / "sam")
    bench = Bench(scratch, options.data, sam, _say)
    sets = options.set or [name for name in SETS if options.data is not None or name == RENDERED]
    fill(trainings(variants, QUICK, sets=sets, folds=options.fold or [0]), bench, scratch / "results.json")
    print(table.text(variants, QUICK, read(scratch / "results.json")))
    print("\nsegment: a quick run; its figures mean nothing, and no bar is held to them", flush=True)
    return 0


def _report(variants: Sequence[Variant], options: argparse.Namespace) -> int:
    records = read(RESULTS)
    print(table.text(variants, FULL, records))
    if not options.cached:
        write(PAGE, table.markdown(variants, FULL, records), table.MARKS)
    found = bars(variants, FULL, records)
    faults = faults_of(found, budgets_of("segment"))
    for fault in faults:
        print(f"outside the budget: {fault}", file=sys.stderr)
    if options.json:
        record = {"benchmark": "segment", "quick": False, "figures": found, "outside_budget": faults}
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(
        "\nsegment: "
        + (", ".join(f"{key} {cell_text(value)}" for key, value in found.items()) or "nothing measured yet")
    )
    return 1 if faults else 0


def _listed(wanted: Sequence[Training]) -> str:
    records = read(RESULTS)
    lines = []
    for training in wanted:
        record = valid(training, records)
        lines.append(
            f"{training.key:28}{'to do' if record is None else f'{record.minutes:.1f} CPU minutes, {record.weights}'}"
        )
    return "\n".join(lines)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
