"""Kill anything at any moment: every trigger is answered exactly once, and the subscriber gets every answer.

A line with two simulated GenICam cameras, on which everything goes wrong that can, a daemon with two inference workers, and a
subscriber; kill -9 and SIGSTOP of any of them at random moments. At the end all is compared with the line's own log. The exit
code is 0 only where nothing is unanswered, answered twice, missing, on the wrong part or left behind.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import latency
from benchmarks.chaos import table
from benchmarks.chaos.run import Chaos, Run, Settings
from benchmarks.report import table_text
from pipeline.errors import DatumdError

QUICK = Settings(triggers=3000, kills=15, seed=1, rate_hz=75.0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--triggers", type=int, default=100_000, metavar="N", help="parts on the line (%(default)s)")
    parser.add_argument("--kills", type=int, default=200, metavar="K", help="kills and stops (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of parts, faults and kills (%(default)s)")
    parser.add_argument(
        "--rate-hz", type=float, default=QUICK.rate_hz, metavar="R", help="triggers a second (%(default)s)"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work in FOLDER, and leave logs and journal there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE as well")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK.triggers} triggers, {QUICK.kills} kills")
    parser.add_argument(
        "--latency", action="store_true", help="measure latencies as well, as `benchmarks.latency` does"
    )
    options = parser.parse_args(argv)
    settings = QUICK if options.quick else Settings(options.triggers, options.kills, options.seed, options.rate_hz)
    if settings.triggers < 1 or settings.kills < 0 or settings.rate_hz <= 0:
        parser.error("--triggers and --rate-hz are more than 0, --kills is not less")
    stop = False

    def on_signal(*_: object) -> None:
        nonlocal stop
        stop = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    try:
        with tempfile.TemporaryDirectory(prefix="datumd-chaos-") as scratch:
            folder = options.keep or Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            run = Chaos(folder, settings, _say, lambda: stop).run()
    except (DatumdError, FileExistsError) as error:
        sys.stderr.write(f"benchmarks.chaos: {error}\n")
        return 2
    print(table.text(run))
    if options.latency and not stop:
        measured = latency.measure(options.quick)
        print(f"\n{measured.title}\n\n{table_text(measured.columns, measured.rows)}")
    is_good = table.is_good(run)
    if options.json:
        options.json.write_text(json.dumps(_figures(run), indent=2) + "\n", encoding="utf-8")
    print(f"\nchaos: {'everything fits' if is_good else 'NOT everything fits'}", flush=True)
    return 0 if is_good else 1


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _figures(run: Run) -> dict[str, object]:
    """For the record of `python -m benchmarks --json`."""
    faults = {kind: len(found) for kind, found in run.reckoning.faults().items()}
    return {
        "benchmark": "chaos",
        "settings": asdict(run.settings),
        "seconds": run.seconds,
        "triggers": len(run.edges),
        "kills": len(run.strikes),
        "faults": faults,
        "outcomes": dict(run.reckoning.outcomes),
        "absent_part_ids": run.reckoning.absent_ids,
        "gaps_told": run.reckoning.gaps_told,
        "recovery": [asdict(recovery) for recovery in run.recoveries],
        "ended_by_itself": len(run.ended_by_itself),
        "outside_budget": [f"{kind}: {count}" for kind, count in faults.items() if count],
    }


if __name__ == "__main__":
    sys.exit(main())
