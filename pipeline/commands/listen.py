"""`datumd listen`: results as they come."""

import argparse
import sys

from pipeline import result as result_schema
from pipeline.client import Subscription
from pipeline.clock import monotonic_ns
from pipeline.result import Result
from pipeline.result_text import Summary, line


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "listen",
        help="print results as they come",
        description="Subscribe to a station's results and print one line each: trigger, verdict, disposition, time from the "
        "frame to the answer, reasons. Ctrl-C ends with a summary.",
        epilog="Example: datumd listen tcp://127.0.0.1:5570 --json > results.jsonl",
    )
    parser.add_argument(
        "endpoint", nargs="?", default="tcp://127.0.0.1:5570", help="results address (default: %(default)s)"
    )
    parser.add_argument("--station", default="", help="only this station")
    parser.add_argument("--json", action="store_true", help="print the whole result, one JSON object a line")
    parser.add_argument("--count", type=int, default=0, metavar="N", help="end after N results")
    parser.add_argument(
        "--timeout",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="end (exit code 1) when no result has come for so long",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print until told to stop."""
    summary = Summary()
    timed_out = False
    with Subscription(args.endpoint, args.station) as subscription:
        quiet_since = monotonic_ns()
        try:
            while not timed_out and (args.count == 0 or summary.results < args.count):
                message = subscription.receive(0.5)
                if isinstance(message, Result):
                    quiet_since = monotonic_ns()
                    summary.add(message)
                    print(result_schema.encode(message).decode() if args.json else line(message), flush=True)
                timed_out = bool(args.timeout) and monotonic_ns() - quiet_since > args.timeout * 1e9
        except KeyboardInterrupt:
            pass
        print(summary.text(), file=sys.stderr)
        if subscription.missed:
            print(f"missed             {subscription.missed}", file=sys.stderr)
    return 1 if timed_out else 0
