"""`python -m tests.fuzz --executions N --seed S [TARGET…]`: what the targets did with so many inputs, one line each.

The exit code is 1 when anything was found. An input that does it is saved; to see it again: `python -m tests.fuzz --input FILE
TARGET`. A campaign of its own process is bounded in memory, and ends with every thread's trace where C code hangs.
"""

import argparse
import faulthandler
import os
import resource
import sys
from pathlib import Path
from typing import TextIO

from tests.fuzz import campaign
from tests.fuzz.target import Target
from tests.fuzz.targets import coco, config, control, cvat, gentl, image, keys, recipe, ultralytics, wire

TARGETS: dict[str, Target] = {
    module.TARGET.name: module.TARGET
    for module in (config, recipe, wire, control, coco, cvat, ultralytics, gentl, image, keys)
}
ROOM_BYTES = 2 << 30  # that an input may take beyond what is mapped at the start
STDERR = 2
HANG_S = 60.0  # of code in C, which no signal interrupts


def main() -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"default: all of {' '.join(TARGETS)}")
    parser.add_argument(
        "--executions", type=int, default=10_000, metavar="N", help="inputs over all targets (default: 10000)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="another seed gives other inputs (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), metavar="DIR", help="where findings are saved")
    parser.add_argument("--input", type=Path, metavar="FILE", help="feed this one input, and show its trace")
    args = parser.parse_args()
    unknown = [name for name in args.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no target {unknown[0]}; there are {' '.join(TARGETS)}")
    chosen = [TARGETS[name] for name in args.targets or TARGETS]
    if args.input is not None:
        sys.stdout.write(f"{[target.execute(args.input.read_bytes()) for target in chosen]}\n")
        return 0
    trace = _quiet()
    _bound_memory()
    found = [_campaign(target, max(1, args.executions // len(chosen)), args, trace) for target in chosen]
    total = sum(outcome.executions for outcome in found)
    findings = sum(len(outcome.findings) for outcome in found)
    sys.stdout.write(f"{total} executions, {findings} findings\n")
    return 1 if findings else 0


def _campaign(target: Target, executions: int, args: argparse.Namespace, trace: TextIO) -> campaign.Outcome:
    def goes_on() -> None:
        faulthandler.dump_traceback_later(HANG_S, exit=True, file=trace)

    outcome = campaign.run(target, executions, args.seed, goes_on=goes_on)
    faulthandler.cancel_dump_traceback_later()
    sys.stdout.write(
        f"{target.name:11} {outcome.executions:8} executions {outcome.executions / max(outcome.seconds, 1e-9):8.0f}/s "
        f"{outcome.summaries:5} ways {outcome.slowest_s * 1000:7.1f} ms at most {outcome.grown_bytes / 1e6:7.1f} MB grown "
        f"{len(outcome.findings)} findings\n"
    )
    for path, finding in zip(campaign.save(outcome, args.out), outcome.findings.values(), strict=True):
        sys.stdout.write(f"  {path}: {finding.what}\n")
    sys.stdout.flush()
    return outcome


def _quiet() -> TextIO:
    """Decoders in C write of each broken picture to the standard error; keep that for the trace of a hang."""
    trace = os.fdopen(os.dup(STDERR), "w")
    faulthandler.enable(trace)
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDERR)
    return trace


def _bound_memory() -> None:
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + ROOM_BYTES, mapped + ROOM_BYTES))


if __name__ == "__main__":
    sys.exit(main())
