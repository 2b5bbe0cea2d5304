"""`datumd bridge opcua`: a station as an OPC UA client sees it."""

import argparse
from pathlib import Path

from pipeline.commands.bridge_station import positive, until_signal
from pipeline.commands.connection import add_connection, reached
from pipeline.errors import ConfigError
from pipeline.priority import come_last


def add_parser(protocols: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the protocol."""
    opcua = protocols.add_parser(
        "opcua",
        help="OPC UA, after OPC 40100-1",
        description="Serve a station over OPC UA: its state machine, jobs, recipes, results and events. "
        "docs/opcua.md has the nodes.",
        epilog="Example: datumd bridge opcua /etc/datumd/press4.toml --bind 192.168.0.10:4840 --trust /etc/datumd/opcua",
    )
    add_connection(opcua)
    opcua.add_argument("--bind", default="127.0.0.1:4840", metavar="ADDRESS:PORT", help="where to listen (%(default)s)")
    opcua.add_argument(
        "--trust",
        default="",
        metavar="FOLDER",
        help="certificates: ours is made there, trusted/ has those of clients that may connect. Needed beyond loopback; "
        "without it everybody on this machine may connect",
    )
    opcua.add_argument("--users", default="", metavar="FILE", help="who may log in by name and password; needs --trust")
    opcua.add_argument(
        "--add-user", default="", metavar="NAME", help="ask for a password, write it to --users, and end"
    )
    opcua.add_argument(
        "--role",
        choices=("operator", "observer"),
        default="operator",
        help="of --add-user; an observer starts and stops nothing (%(default)s)",
    )
    opcua.add_argument(
        "--window-ms",
        type=positive,
        default=1000.0,
        metavar="MS",
        help="longest time from StartSingleJob to an answer; after it there is no verdict (%(default)g)",
    )
    opcua.add_argument(
        "--keep",
        type=_count,
        default=1000,
        metavar="N",
        help="newest results that clients can ask for (%(default)s)",
    )
    opcua.set_defaults(run=run)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:7]) <= 100_000):
        raise argparse.ArgumentTypeError(f"{text!r}, allowed: 1 to 100000")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal."""
    import logging
    import sys

    if args.add_user:
        return _add_user(args)
    from pipeline.bridge_settings import OpcuaSettings, check_opcua, require_library

    require_library("opcua")
    come_last()
    settings = OpcuaSettings(args.bind, args.trust, args.users, args.window_ms, args.keep)
    check_opcua(settings, "--bind", "--trust", "--users")
    endpoint, station, keys = reached(args)

    from pipeline.sinks.opcua.bridge import OpcuaBridge
    from pipeline.sinks.opcua.bridge import run as serve

    stop = until_signal()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="bridge: %(message)s")
    for library in ("asyncua", "asyncio"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    serve(OpcuaBridge(endpoint, station, keys, settings), stop)
    return 0


def _add_user(args: argparse.Namespace) -> int:
    """Ask twice at a terminal; else the password is the first line of what comes in."""
    import getpass
    import sys

    from pipeline.sinks.opcua.users import add_user

    if not args.users:
        raise ConfigError("where is the user to be written?", where="--add-user", allowed="with --users FILE")
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password of {args.add_user}: ")
        if getpass.getpass("Again: ") != password:
            raise ConfigError("the two are not the same", where="--add-user")
    else:
        password = sys.stdin.readline().rstrip("\n")
    add_user(Path(args.users), args.add_user, args.role, password)
    print(f"{args.add_user} may log in as {args.role}")
    return 0
