"""`datumd schema`: the JSON Schema of what is published and asked."""

import argparse
import json

import msgspec

from pipeline.requests import Command
from pipeline.result import Result
from pipeline.status import Heartbeat, Status

SCHEMAS = {"result": Result, "heartbeat": Heartbeat, "status": Status, "request": Command}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schema of what is published and asked",
        description="Print the JSON Schema of a message on the result stream or of a request (wire v1). A reader "
        "ignores fields it does not know.",
        epilog="Example: datumd schema result > result.schema.json",
    )
    parser.add_argument("message", nargs="?", choices=sorted(SCHEMAS), default="result")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it."""
    print(json.dumps(msgspec.json.schema(SCHEMAS[args.message]), indent=2))
    return 0
