"""`datumd trigger`: a software trigger, and its answer."""

import argparse
import sys

from pipeline.commands.connection import add_connection, reached

REJECTED = 3


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "trigger",
        help="trigger the cameras by software, and wait for the answer",
        description="Give the cameras one software trigger and print its answer, one line for each part found. A station that "
        "was stopped inspects it, too. Exit code: 0 every part passes, 3 a part is rejected, 1 the answer did not come in "
        "time, 2 the station refused or was not reached.",
        epilog="Example: datumd trigger --part-id SN-00417 tcp://127.0.0.1:5570 && echo passed",
    )
    add_connection(parser)
    parser.add_argument("--part-id", default="", metavar="ID", help="what the line calls the part; it is in the result")
    parser.add_argument(
        "--purpose",
        choices=["production", "master", "gauge", "setup"],
        default="production",
        help="what the part is there for; it is in the result (%(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the whole result, one JSON object a line")
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="SECONDS", help="how long to wait for the answer (%(default)s)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Subscribe, trigger, wait."""
    from pipeline import result as result_schema
    from pipeline.client import Control, Subscription, find_control
    from pipeline.clock import monotonic_ns
    from pipeline.result import Disposition, Result
    from pipeline.result_text import line
    from pipeline.status import Heartbeat

    endpoint, station, keys = reached(args)
    control = find_control(endpoint, station, keys)
    code = 0
    with Subscription(endpoint, station, control=control, keys=keys) as subscription:
        until = monotonic_ns() + int(args.timeout * 1e9)
        while not isinstance(subscription.receive(0.2), Heartbeat):  # from here on nothing is missed
            if monotonic_ns() > until:
                return _no_answer(args.timeout)
        with Control(control, keys) as line_to_station:
            number = line_to_station.trigger(args.part_id, purpose=args.purpose)
        while monotonic_ns() < until:
            message = subscription.receive(0.2)
            if isinstance(message, Result) and message.software_trigger == number:
                print(result_schema.encode(message).decode() if args.json else line(message), flush=True)
                if message.disposition is not Disposition.PASS:
                    code = REJECTED
                if message.part_index == message.part_count - 1:
                    return code
    return _no_answer(args.timeout)


def _no_answer(seconds: float) -> int:
    print(f"datumd: no answer within {seconds:g} s; next: datumd status", file=sys.stderr)
    return 1
