"""`datumd start`, `stop` and `resynchronise`: whether a running station inspects what comes, and how it counts."""

import argparse

from pipeline.commands.connection import add_connection, control_of


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    start = subparsers.add_parser(
        "start",
        help="let a running station inspect every trigger",
        description="Let a running station inspect every trigger again, after `datumd stop`. A station inspects from its start.",
        epilog="Example: datumd start tcp://127.0.0.1:5570",
    )
    start.set_defaults(run=run_start)
    stop = subparsers.add_parser(
        "stop",
        help="let a running station inspect software triggers alone",
        description="Let a running station answer the line's triggers at once with `stopped`, without inspecting them. Software "
        "triggers (datumd trigger) are inspected. It stays so over restarts, until `datumd start`.",
        epilog="Example: datumd stop tcp://127.0.0.1:5570",
    )
    stop.set_defaults(run=run_stop)
    resynchronise = subparsers.add_parser(
        "resynchronise",
        help="let cameras count from the same trigger again",
        description="To be used with the belt standing still, when cameras disagree about the trigger number "
        "(trigger_mismatch): from here on their counters, whatever they show, count the same triggers. Part ids told for "
        "triggers to come are forgotten.",
        epilog="Example: datumd resynchronise tcp://127.0.0.1:5570",
    )
    resynchronise.set_defaults(run=run_resynchronise)
    for parser in (start, stop, resynchronise):
        add_connection(parser)


def run_start(args: argparse.Namespace) -> int:
    """Start."""
    with control_of(args) as control:
        control.start()
    print("every trigger is inspected")
    return 0


def run_stop(args: argparse.Namespace) -> int:
    """Stop."""
    with control_of(args) as control:
        control.stop()
    print("software triggers alone are inspected")
    return 0


def run_resynchronise(args: argparse.Namespace) -> int:
    """Resynchronise."""
    with control_of(args) as control:
        control.resynchronise()
    print("the cameras' counters count the same triggers from here on")
    return 0
