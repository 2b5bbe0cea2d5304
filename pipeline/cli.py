"""The command `datumd`: finds its commands, parses the line, and turns errors into one clear line."""

import argparse
import importlib
import os
import sys
from typing import Protocol

from pipeline.errors import DatumdError
from pipeline.version import version

STDERR = 2
OWN_COMMANDS = (
    "init",
    "run",
    "check",
    "doctor",
    "status",
    "listen",
    "trigger",
    "bridge",
    "recipe",
    "control",
    "export",
    "report",
    "backup",
    "bundle",
    "cameras",
    "snapshot",
    "inspect",
    "why",
    "replay",
    "try_",
    "upgrade",
    "seal",
    "parity",
    "build",
    "keys",
    "schema",
    "worker",
    "completion",
)
OF_ALL = ("completion",)  # what these say is of all commands


class Command(Protocol):
    """A command's module."""

    def add_parser(self, subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
        """Add the command's parser, with `run` among its defaults."""
        ...


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    _hold_standard_streams()
    parser = argparse.ArgumentParser(
        prog="datumd",
        description="Real-time camera inspection: every trigger gets exactly one answer.",
        epilog="Try it without hardware: datumd demo. Begin with cameras or pictures of your own: datumd init --help.",
    )
    arguments = sys.argv[1:] if arguments is None else arguments
    first = arguments[0] if arguments else ""
    if first not in OWN_COMMANDS:
        parser.add_argument("--version", action="version", version=f"datumd {version()}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _commands(first):
        command.add_parser(subparsers)
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except DatumdError as error:
        print(f"datumd: {error}", file=sys.stderr)
        return error.exit_code
    except PermissionError as problem:  # a station's folders are its user's own
        if chosen.command == "worker":  # its supervisor starts it again, and its log should say where it was
            raise
        print(f"datumd: {problem.filename}: not for this user (next: as its owner, with sudo -u)", file=sys.stderr)
        return DatumdError.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit would complain
        return 141


def _hold_standard_streams() -> None:
    """Open what the caller has closed of 0, 1 and 2, or the next file opened, a frame ring perhaps, would take what is printed."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= STDERR:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def _commands(first: str) -> list[Command]:
    """The daemon's own commands, then those that other parts of the product have registered.

    Where the first word is one of the own ones, it alone is imported: a worker that was killed is back sooner.
    """
    if first in OWN_COMMANDS and first not in OF_ALL:
        return [importlib.import_module(f"pipeline.commands.{first}")]
    from importlib.metadata import entry_points

    modules = [f"pipeline.commands.{name}" for name in OWN_COMMANDS]
    modules += sorted(point.value for point in entry_points(group="datumd.commands"))
    return [importlib.import_module(module) for module in modules]
