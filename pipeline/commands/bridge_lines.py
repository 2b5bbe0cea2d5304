"""`datumd bridge lines`: a station as a controller sees it that can do no more than send text over TCP."""

import argparse

from pipeline.commands.bridge_station import positive, until_signal
from pipeline.commands.connection import add_connection, reached
from pipeline.priority import come_last


def add_parser(protocols: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the protocol."""
    lines = protocols.add_parser(
        "lines",
        help="lines of text over TCP",
        description="Serve a station to a controller as lines of ASCII over TCP: one for each trigger, one for each result. "
        "docs/lines.md has the lines.",
        epilog="Example: datumd bridge lines /etc/datumd/press4.toml --bind 192.168.0.10:1503 --allow 192.168.0.20",
    )
    add_connection(lines)
    lines.add_argument("--bind", default="127.0.0.1:1503", metavar="ADDRESS:PORT", help="where to listen (%(default)s)")
    lines.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="a controller that may connect; needed beyond loopback",
    )
    lines.add_argument(
        "--window-ms",
        type=positive,
        default=1000.0,
        metavar="MS",
        help="longest time from TRIGGER to RESULT; after it there is no verdict (%(default)g)",
    )
    lines.add_argument(
        "--own-trigger",
        action="store_true",
        help="the line triggers the cameras; TRIGGER announces the trigger number and part id",
    )
    lines.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal."""
    import logging
    import sys

    from pipeline.bridge_settings import LinesSettings, check_listening
    from pipeline.sinks.lines.bridge import LinesBridge
    from pipeline.sinks.lines.bridge import run as serve

    come_last()
    check_listening(args.bind, args.allow, "--bind", "--allow")
    endpoint, station, keys = reached(args)
    stop = until_signal()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="bridge: %(message)s")
    settings = LinesSettings(args.bind, args.allow, args.window_ms, args.own_trigger)
    serve(LinesBridge(endpoint, station, keys, settings), stop)
    return 0
