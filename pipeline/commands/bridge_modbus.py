"""`datumd bridge modbus`: a station as a PLC sees it over Modbus TCP."""

import argparse

from pipeline.commands.bridge_station import positive, until_signal
from pipeline.commands.connection import add_connection, reached
from pipeline.priority import come_last


def add_parser(protocols: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the protocol."""
    modbus = protocols.add_parser(
        "modbus",
        help="Modbus TCP",
        description="Serve a station as holding registers over Modbus TCP.",
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
        type=positive,
        default=1000.0,
        metavar="MS",
        help="longest time from Trigger to an answer; after it there is no verdict (%(default)g)",
    )
    modbus.add_argument(
        "--silence-ms",
        type=positive,
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
        "--scale", type=positive, default=1000.0, help="measurements as integers: value times this (%(default)g)"
    )
    modbus.add_argument(
        "--word-order",
        choices=("high_first", "low_first"),
        default="high_first",
        help="which word of a 32-bit value has the lower address (%(default)s)",
    )
    modbus.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal."""
    import logging
    import sys

    from pipeline.bridge_settings import ModbusSettings, check_listening, require_library

    require_library("modbus")
    come_last()
    check_listening(args.bind, args.allow, "--bind", "--allow")
    endpoint, station, keys = reached(args)

    from pipeline.sinks.modbus.bridge import ModbusBridge
    from pipeline.sinks.modbus.bridge import run as serve

    stop = until_signal()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="bridge: %(message)s")
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    settings = ModbusSettings(
        args.bind, args.allow, args.window_ms, args.silence_ms, args.own_trigger, args.scale, args.word_order
    )
    serve(ModbusBridge(endpoint, station, keys, settings), stop)
    return 0
