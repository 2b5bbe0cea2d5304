"""`datumd worker`: one process of a run, as the supervisor starts it."""

import argparse
import importlib
import signal
import sys
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.runtime import load_runtime
from pipeline.supervisor.processes import processes
from pipeline.worker import begin, end_with_parent


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "worker",
        help="run one process of a station (the supervisor does this)",
        description="Run one process of a station that `datumd run` has set up, such as grab.top or infer.0. For debugging: "
        "the supervisor does the same. `datumd run STATION.toml --workers` lists the names.",
    )
    parser.add_argument("name", metavar="NAME", help="the process, such as grab.top")
    parser.add_argument("--run-dir", type=Path, required=True, help="the run's folder, as `datumd run` prints it")
    parser.add_argument("--parent", type=int, default=0, help="end when this process does")
    parser.add_argument(
        "--standby", action="store_true", help="import everything, and begin when a line comes on standard input"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Become the process."""
    if args.parent:
        end_with_parent(args.parent)
    runtime = load_runtime(args.run_dir)
    specs = {spec.name: spec for spec in processes(runtime.station)}
    if args.name not in specs:
        raise ConfigError(f"no process {args.name!r}", where=runtime.station.station, allowed=", ".join(specs))
    module, _, function = specs[args.name].main.partition(":")
    main = getattr(importlib.import_module(module), function)
    if args.standby:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the supervisor, which lets it go
        if not sys.stdin.readline():
            return 0
    main(*begin(runtime, args.name))
    return 0
