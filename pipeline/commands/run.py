"""`datumd run`: the daemon of one station, in the foreground."""

import argparse
import logging
import signal
import sys
from pathlib import Path
from threading import Event

from pipeline.addresses import refuse_taken
from pipeline.bridge_settings import check_bridge
from pipeline.config import load_station
from pipeline.preflight import recipe_of, refuse_missing, resolved
from pipeline.runtime import state_folder
from pipeline.security import check_security
from pipeline.selection import kept_selection, recipe_number
from pipeline.supervisor.processes import processes
from pipeline.supervisor.supervise import Supervisor
from pipeline.supervisor.systemd import Notifier
from pipeline.worker import end_with_parent


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "run",
        help="run a station's daemon",
        description="Run the daemon of one station until Ctrl-C or SIGTERM: a process for each camera and each inference "
        "engine, the ledger that answers every trigger, and the metrics page. Results: `datumd listen`.",
        epilog="Example: datumd check station.toml && datumd run station.toml",
    )
    parser.add_argument("station", type=Path, metavar="STATION.toml", help="the station file")
    parser.add_argument("--workers", action="store_true", help="list the processes that would run, and end")
    parser.add_argument("--parent", type=int, default=0, metavar="PID", help="end, in order, when this process does")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Supervise until told to stop."""
    station = load_station(args.station)
    if args.workers:
        for spec in processes(station):
            print(f"{spec.name:20} {spec.main}")
        return 0
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="supervisor: %(message)s")
    station = resolved(station)
    check_security(station.security, clients=False)
    if recipe_number(kept_selection(state_folder(station)), station.recipe) == station.recipe:
        recipe_of(station, station.recipe)  # one that was selected through control is judged by the daemon: see infer
    for name, settings in station.camera.items():
        refuse_missing(name, settings)
    for protocol in station.plc.protocols:
        check_bridge(station.plc, protocol)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    if args.parent:
        end_with_parent(args.parent, signal.SIGTERM)
    supervisor = Supervisor(station, Notifier.from_environment())
    try:
        refuse_taken(station)
        print(f"station  {station.station}, run folder {supervisor.runtime.folder}")
        print(f"results  {supervisor.runtime.results_endpoint}  (datumd listen {supervisor.runtime.results_endpoint})")
        for protocol in station.plc.protocols:
            print(f"bridge   {protocol} {check_bridge(station.plc, protocol)}")
        print(f"metrics  http://{station.metrics.bind}/metrics", flush=True)
        supervisor.run(stop)
    finally:
        supervisor.close()
    return 0
