"""The keypoint methods compared: trains what is missing of the table, prints it and writes it to docs/methods.md.

Every variant takes at most 15 minutes of one core, all of them some hours. Results are kept in docs/methods-results.json by
what decides them, so that a variant is trained again only when its configuration changed; a run that was killed goes on.
Two processes may be started side by side: each takes what the other does not have in hands.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import torch

from benchmarks.methods import table
from benchmarks.methods.bars import bars
from benchmarks.methods.measure import Bench, measured
from benchmarks.methods.results import RESULTS, Record, read
from benchmarks.methods.results_file import add_record
from benchmarks.methods.schedule import listed, standing, valid
from benchmarks.methods.sets import (
    FINAL_HEAVY,
    FINAL_ORDINARY,
    FULL,
    HEAVY,
    ORDINARY,
    QUICK,
    RenderedSet,
    Sets,
    claimed,
)
from benchmarks.methods.variants import Training, Variant, chosen, read_variants
from benchmarks.report import budgets_of, cell_text, faults_of
from pipeline.errors import DatumdError

CACHE = Path.home() / ".cache" / "datumd" / "methods"


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing and print the table. Returns the exit code."""
    options = _options(argv)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    try:
        if options.quick:
            with tempfile.TemporaryDirectory(prefix="datumd-methods-") as scratch:
                return _quick(Path(scratch), chosen(read_variants(), options.only, quick=True))
        variants = read_variants()
        some = chosen(variants, options.only, quick=False)
        if options.list:
            print(listed(some if options.only else variants, FULL, read(RESULTS)))
            return 0
        if not options.cached:
            fill(some, FULL, Bench(options.cache, _say), RESULTS)
        return _report(variants, options)
    except DatumdError as error:
        sys.stderr.write(f"benchmarks.methods: {error}\n")
        return 2


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this variant; may be repeated")
    parser.add_argument("--list", action="store_true", help="say what is there and what is missing")
    parser.add_argument("--cached", action="store_true", help="train nothing: the table of what is there")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="DIR", help="sets and trainings (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures that have a bar to FILE as well")
    parser.add_argument(
        "--quick", action="store_true", help="a tiny version of 4 variants, in a minute or two; kept nowhere"
    )
    return parser.parse_args(argv)


def fill(variants: Sequence[Variant], sets: Sets, bench: Bench, results: Path) -> None:
    """Train what is missing of ``variants``, one after the other; what another process has in hands is left to it."""
    for variant in variants:
        refused: set[str] = set()
        while True:
            missing = [one for one in standing(variant, sets, read(results)).missing if one.key not in refused]
            if not missing:
                break
            training = missing[0]
            with claimed(bench.cache / "claims" / f"{training.key.replace('/', '-')}.lock") as mine:
                if not mine:
                    bench.say(f"{training.key}: another process has it in hands")
                    refused.add(training.key)
                elif valid(training, read(results)) is None:  # it may have been finished a moment ago
                    record = measured(training, bench, _tests(variant, training, sets))
                    add_record(results, training.key, record, bench.cache / "results.lock")


def _tests(variant: Variant, training: Training, sets: Sets) -> dict[str, RenderedSet]:
    """None for a setting that is only tried; the sets that nothing was chosen by for the best combination alone."""
    if "/tried/" in training.key:
        return {}
    tests = {ORDINARY: sets.ordinary, HEAVY: sets.heavy}
    if variant.long:
        tests |= {FINAL_ORDINARY: sets.final[0], FINAL_HEAVY: sets.final[1]}
    return tests


def _quick(scratch: Path, variants: Sequence[Variant]) -> int:
    results = scratch / "results.json"
    fill(variants, QUICK, Bench(scratch, _say), results)
    print(table.text(variants, QUICK, read(results)))
    print("\nmethods: a quick run; its figures mean nothing, and no bar is held to them", flush=True)
    return 0


def _report(variants: Sequence[Variant], options: argparse.Namespace) -> int:
    records: dict[str, Record] = read(RESULTS)
    print(table.text(variants, FULL, records))
    if not options.cached:
        table.write(table.PAGE, table.markdown(variants, FULL, records))
    found = bars(variants, FULL, records)
    faults = faults_of(found, budgets_of("methods"))
    for fault in faults:
        print(f"outside the budget: {fault}", file=sys.stderr)
    if options.json:
        record = {"benchmark": "methods", "quick": False, "figures": found, "outside_budget": faults}
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(
        "\nmethods: "
        + (", ".join(f"{key} {cell_text(value)}" for key, value in found.items()) or "nothing measured yet")
    )
    return 1 if faults else 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
