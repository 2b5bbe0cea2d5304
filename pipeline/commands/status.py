"""`datumd status`: how a running station is, as a screen that renews itself, as text, or as JSON."""

import argparse
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pipeline.commands.connection import add_connection, control_of, reached

if TYPE_CHECKING:
    from pipeline.status import Status

NOT_WELL = 1
RENEWED_S = 0.5


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "status",
        help="how a running station is",
        description="On a terminal, over ssh, too: a screen of cameras, recipe, rates, latency, processes, losses, reasons and "
        "the last rejects, renewed until Ctrl-C (it needs the extra `status`). Elsewhere, and with --once, the state as lines "
        "of text; exit code 1 where it is Error or Halted.",
        epilog="Example: datumd status tcp://127.0.0.1:5570 --json",
    )
    parser.add_argument("--once", action="store_true", help="lines of text, and end, on a terminal, too")
    parser.add_argument("--json", action="store_true", help="print the whole status as one JSON object, and end")
    add_connection(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask for the status, then show it as is wanted. Raises NoAnswer where no station is heard."""
    import msgspec

    from pipeline.status import StationState

    with control_of(args) as control:
        status = control.status()
    if not args.json and not args.once and sys.stdout.isatty():
        if find_spec("rich") is not None and _watch(args, status):
            return 0
        print("(a screen that renews itself: pip install 'datumd[status]')", file=sys.stderr)
    print(msgspec.json.encode(status).decode() if args.json else status_text(status))
    return NOT_WELL if status.state in (StationState.Error, StationState.Halted) else 0


def _watch(args: argparse.Namespace, status: "Status") -> bool:
    """Show the station until Ctrl-C. False where the terminal has no way to draw over what it shows."""
    from rich.console import Console
    from rich.live import Live

    from pipeline.client import Subscription
    from pipeline.clock import monotonic_ns
    from pipeline.commands.station_watch import StationWatch
    from pipeline.commands.status_screen import StatusScreen

    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_dumb_terminal:
        return False
    watch, shown_ns = StationWatch(status, monotonic_ns()), 0
    watch.add(status, watch.heard_ns)
    first = StatusScreen(watch, watch.heard_ns)
    endpoint, _, keys = reached(args)
    with (
        Subscription(endpoint, status.station, keys=keys, replay=False) as subscription,
        Live(first, console=console, screen=True, auto_refresh=False) as live,
        suppress(KeyboardInterrupt),
    ):
        while True:
            watch.add(subscription.receive(RENEWED_S), now := monotonic_ns())
            if now - shown_ns >= RENEWED_S * 1e9:
                live.update(StatusScreen(watch, now), refresh=True)
                shown_ns = now
    return True


def status_text(status: "Status") -> str:
    """Several lines for people."""
    from pipeline.result_text import printable

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
    for process in status.processes:
        restarts = f", {process.restarts} restarts" if process.restarts else ""
        memory = f"{process.resident_bytes / 2**20:.0f} MiB, {process.cpu_seconds:.1f} s"
        lines.append(f"process    {process.name}: {process.state}, pid {process.pid}, {memory}{restarts}")
    journal, evidence = status.journal, status.evidence
    lines.append(f"journal    {journal.fault or 'ok'}, {journal.unwritten} unwritten, {journal.forgotten} forgotten")
    lines.append(f"images     {evidence.fault or 'ok'}, {evidence.images} kept, {evidence.lost} lost")
    return "\n".join(map(printable, lines))
