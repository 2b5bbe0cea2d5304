"""`datumd bridge PROTOCOL`: a station as a line's controls see it. One module per protocol."""

import argparse

from pipeline.commands import bridge_lines, bridge_modbus, bridge_mqtt, bridge_opcua

PROTOCOLS = (bridge_modbus, bridge_opcua, bridge_lines, bridge_mqtt)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command, and each protocol below it."""
    parser = subparsers.add_parser(
        "bridge",
        help="let a PLC trigger a station and read its results",
        description="Serve a station to a PLC. The bridge is a process of its own: it uses the public client alone, and a "
        "part without its own answer in time is never passed. docs/plc.md has the registers and blocks to copy.",
    )
    protocols = parser.add_subparsers(dest="bridge", metavar="PROTOCOL", required=True)
    for protocol in PROTOCOLS:
        protocol.add_parser(protocols)
