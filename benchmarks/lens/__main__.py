"""python -m benchmarks.lens: lenses calibrated from rendered boards, 200 times each, against what was rendered."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2

from benchmarks.lens.known_lenses import AFFINE, BROWN, FISHEYE
from benchmarks.lens.lens_runs import LensRuns, calibrate_often
from benchmarks.report import budgets_of, cell_text, faults_of, table_text

NAME = "lens"
LENSES = {"brown": BROWN, "fisheye": FISHEYE, "affine": AFFINE}
RUNS, QUICK_RUNS = 200, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Calibrate, print one table, hold it to its bars. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lens", description=__doc__)
    parser.add_argument(
        "lens", nargs="*", metavar="LENS", help=f"of {', '.join(LENSES)}; which lenses (default: brown)"
    )
    parser.add_argument(
        "--runs", type=int, default=RUNS, metavar="N", help="of each (default: %(default)s, about 6 minutes)"
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs, whose figures mean nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE as well")
    options = parser.parse_args(argv)
    if strange := set(options.lens) - LENSES.keys():
        parser.error(f"{', '.join(strange)}: no such lens; there are {', '.join(LENSES)}")
    cv2.setNumThreads(1)
    runs = QUICK_RUNS if options.quick else options.runs
    done = [calibrate_often(LENSES[name], runs) for name in options.lens or ["brown"]]
    print(
        f"lenses calibrated from 8 rendered views of a board, {runs} times each; mapped points in px\n\n{table(done)}\n"
    )
    told = figures(done)
    print(f"{NAME}: " + ", ".join(f"{key} {cell_text(value)}" for key, value in told.items()), flush=True)
    faults = [] if runs < RUNS else faults_of(told, budgets_of(NAME))
    if runs < RUNS:
        print(f"too few runs for shares: the bars are for {RUNS}")
    for fault in faults:
        print(f"outside the budget: {fault}", file=sys.stderr)
    if options.json:
        record = {"benchmark": NAME, "quick": options.quick, "figures": told, "outside_budget": faults}
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 1 if faults else 0


def table(done: Sequence[LensRuns]) -> str:
    """One line a lens."""
    columns = ["lens", "within 3 sigma, worst parameter %", "all in 95 % region %", "mapped in 95 % region %"]
    columns += ["systematic px", "scatter px", "stated px"]
    rows = [
        (
            one.name,
            f"{100 * min(one.within_3.values()):.1f} ({min(one.within_3, key=lambda name: one.within_3[name])})",
            100 * one.region_95,
            100 * one.mapped_95,
            one.systematic_px,
            one.scatter_px,
            one.stated_px,
        )
        for one in done
    ]
    return table_text(columns, rows)


def figures(done: Sequence[LensRuns]) -> dict[str, float]:
    """The worst of all lenses; of shares that should be 95 % those that lie farthest below and above."""
    covered = [100 * share for one in done for share in (one.mapped_95, one.region_95)]
    return {
        "within_3_sigma_percent": 100 * min(min(one.within_3.values()) for one in done),
        "in_95_region_least_percent": min(covered),
        "in_95_region_most_percent": max(covered),
        "mapped_systematic_px": max(one.systematic_px for one in done),
        "mapped_scatter_px": max(one.scatter_px for one in done),
    }


if __name__ == "__main__":
    sys.exit(main())
