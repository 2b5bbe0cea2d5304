"""`datumd bridge modbus`: a station as a PLC sees it."""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.connection import add_connection, keys_of
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.security import ClientKeys


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "bridge",
        help="let a PLC trigger a station and read its results",
        description="Serve a station to a PLC. The bridge is a process of its own: it uses the public client alone, and a "
        "part without its own answer in time is never passed. docs/plc.md has the registers and blocks to copy.",
    )
    modbus = parser.add_subparsers(dest="bridge", metavar="PROTOCOL", required=True).add_parser(
        "modbus",
        help="Modbus TCP",
        description="Serve a station as holding registers over Modbus TCP. ENDPOINT is its results address, or its station "
        "file (STATION.toml), whose address, name and keys are used then.",
        epilog="Example: datumd bridge modbus /etc/datumd/press4.toml --bind 192.168.0.10:502 --allow 192.168.0.20",
    )
    add_connection(modbus)
    modbus.add_argument(
        "--bind", default="127.0.0.1:1502", metavar="ADDRESS:PORT", help="where to listen (%(default)s)"
    )
    modbus.add_argument(
        "--allow", action="append", default=[], metavar="ADDRESS", help="a PLC that may connect; needed beyond loopback"
    )
    modbus.add_argument(
        "--window-ms",
        type=_positive,
        default=1000.0,
        metavar="MS",
        help="longest time from Trigger to an answer; after it there is no verdict (%(default)g)",
    )
    modbus.add_argument(
        "--silence-ms",
        type=_positive,
        default=5000.0,
        metavar="MS",
        help="a PLC heartbeat that has begun and stands still for so long resets the handshake (%(default)g)",
    )
    modbus.add_argument(
        "--own-trigger",
        action="store_true",
        help="the line triggers the cameras; Trigger announces the trigger number and part id",
    )
    modbus.add_argument(
        "--scale", type=_positive, default=1000.0, help="measurements as integers: value times this (%(default)g)"
    )
    modbus.add_argument(
        "--word-order",
        choices=("high_first", "low_first"),
        default="high_first",
        help="which word of a 32-bit value has the lower address (%(default)s)",
    )
    modbus.set_defaults(run=run_modbus)


def _positive(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r}, allowed: a number above 0")
    return number


def run_modbus(args: argparse.Namespace) -> int:
    """Serve until a signal."""
    import logging
    import signal
    import sys
    import threading

    try:
        from pipeline.sinks.modbus.bridge import BridgeSettings, run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pymodbus":
            raise
        raise ConfigError(
            "pymodbus is not installed", where="bridge modbus", next_command="pip install 'datumd[plc]'"
        ) from None
    endpoint, station, keys = _reached(args)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="bridge: %(message)s")
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    settings = BridgeSettings(
        endpoint,
        station,
        keys,
        args.bind,
        args.allow,
        args.window_ms,
        args.silence_ms,
        args.own_trigger,
        args.scale,
        args.word_order,
    )
    run(settings, stop)
    return 0


def _reached(args: argparse.Namespace) -> "tuple[str, str, ClientKeys | None]":
    """Results address, station and keys: from the station file where one is named."""
    if not args.endpoint.endswith(".toml"):
        return args.endpoint, args.station, keys_of(args)
    from pipeline.config import load_station
    from pipeline.security import own_client_keys

    station = load_station(Path(args.endpoint))
    host, _, port = station.results.bind.rpartition(":")
    host = host.replace("//0.0.0.0", "//127.0.0.1").replace("//*", "//127.0.0.1")
    return f"{host}:{port}", station.station, keys_of(args) or own_client_keys(station.security)
