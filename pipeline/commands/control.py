"""`datumd start`, `stop`, `status` and `resynchronise`: how a running station is, and whether it inspects what comes."""

import argparse
from typing import TYPE_CHECKING

from pipeline.commands.connection import add_connection, control_of

if TYPE_CHECKING:
    from pipeline.status import Status

NOT_WELL = 1


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
    status = subparsers.add_parser(
        "status",
        help="how a running station is",
        description="Print the state of a running station: cameras, recipe, counts, journal, images. Exit code 1 where it is in "
        "Error or Halted.",
        epilog="Example: datumd status tcp://127.0.0.1:5570 --json",
    )
    status.add_argument("--json", action="store_true", help="print the whole status as one JSON object")
    status.set_defaults(run=run_status)
    resynchronise = subparsers.add_parser(
        "resynchronise",
        help="let cameras count from the same trigger again",
        description="To be used with the belt standing still, when cameras disagree about the trigger number "
        "(trigger_mismatch): from here on their counters, whatever they show, count the same triggers. Part ids told for "
        "triggers to come are forgotten.",
        epilog="Example: datumd resynchronise tcp://127.0.0.1:5570",
    )
    resynchronise.set_defaults(run=run_resynchronise)
    for parser in (start, stop, status, resynchronise):
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


def run_status(args: argparse.Namespace) -> int:
    """Print the status."""
    import msgspec

    from pipeline.status import StationState

    with control_of(args) as control:
        status = control.status()
    print(msgspec.json.encode(status).decode() if args.json else status_text(status))
    return NOT_WELL if status.state in (StationState.Error, StationState.Halted) else 0


def status_text(status: "Status") -> str:
    """Several lines for people."""
    lines = [
        f"station    {status.station}  {status.state.value}{f': {status.text}' if status.text else ''}",
        f"session    {status.session}, since {status.started_time}, datumd {status.version}",
        f"recipe     {'-' if status.recipe_id is None else status.recipe_id}  {status.product_id}  {status.configuration_id[:12]}",
        f"triggers   {status.triggers}, {status.open_parts} not answered yet",
        "results    " + (", ".join(f"{name} {count}" for name, count in sorted(status.results.items())) or "none"),
    ]
    for camera in status.cameras:
        losses = "".join(f", {kind} {count}" for kind, count in sorted(camera.losses.items()) if count)
        up = "up" if camera.up else "DOWN"
        lines.append(
            f"camera     {camera.camera}: {up}, {camera.text}, {camera.frames} frames, {camera.triggers}{losses}"
        )
    journal, evidence = status.journal, status.evidence
    lines.append(f"journal    {journal.fault or 'ok'}, {journal.unwritten} unwritten, {journal.forgotten} forgotten")
    lines.append(f"images     {evidence.fault or 'ok'}, {evidence.images} kept, {evidence.lost} lost")
    return "\n".join(lines)
