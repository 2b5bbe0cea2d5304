"""`datumd listen`: results as they come, and those that were missed."""

import argparse
import sys
from pathlib import Path

from pipeline.commands.connection import add_connection, reached


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "listen",
        help="print results as they come",
        description="Subscribe to a station's results and print one line each: trigger, verdict, disposition, time from the "
        "frame to the answer, reasons. What the connection or a restart of the station loses is fetched from the station's "
        "journal; what cannot be had any more is told as a gap. Ctrl-C ends with a summary.",
        epilog="Examples: datumd listen tcp://127.0.0.1:5570 --json > results.jsonl    "
        "datumd listen --from-start --cursor press4.cursor (all results from the oldest, and next time from where this ended)",
    )
    add_connection(parser)
    parser.add_argument("--json", action="store_true", help="print the whole result, one JSON object a line")
    parser.add_argument(
        "--cursor",
        type=Path,
        metavar="FILE",
        help="keep in FILE how far this has come, and go on from there: no result is missed while nobody listens",
    )
    parser.add_argument(
        "--from-start",
        action="store_true",
        help="begin with the oldest result that the station still has (with --cursor: where FILE does not say otherwise)",
    )
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
    from pipeline import result as result_schema
    from pipeline.client import Gap, Subscription
    from pipeline.clock import monotonic_ns
    from pipeline.result import Result
    from pipeline.result_text import Summary, gap_text, line

    summary = Summary()
    timed_out = False
    endpoint, station, keys = reached(args)
    subscription = Subscription(endpoint, station, cursor=args.cursor, from_start=args.from_start, keys=keys)
    with subscription:
        quiet_since = monotonic_ns()
        try:
            while not timed_out and (args.count == 0 or summary.results < args.count):
                message = subscription.receive(0.5)
                if isinstance(message, Result):
                    quiet_since = monotonic_ns()
                    summary.add(message)
                    print(result_schema.encode(message).decode() if args.json else line(message), flush=True)
                elif isinstance(message, Gap):
                    print(gap_text(message), file=sys.stderr)
                timed_out = bool(args.timeout) and monotonic_ns() - quiet_since > args.timeout * 1e9
        except KeyboardInterrupt:
            pass
        print(summary.text(), file=sys.stderr)
        if subscription.missed:
            print(f"missed             {subscription.missed}", file=sys.stderr)
    return 1 if timed_out else 0
