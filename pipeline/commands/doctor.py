"""`datumd doctor`: the machine that a station runs on, and what to do about what is not in order."""

import argparse
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.config import Station
    from pipeline.doctor.finding import Finding


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="look at the machine of a station, and say what to do",
        description="Look at what a station needs of its machine: cameras' producers, network links and their MTU, clock and "
        "PTP, room in /dev/shm and on the disk, what runs the networks and its plans, keys, bridges, ports. It changes "
        "nothing, and may run beside the station. One line for each: ok; look = it runs, but perhaps not as well or as "
        "long; WRONG = it does not. Ends with 0, or with 1 where something is WRONG. `datumd check` looks at the recipes.",
        epilog="Example: sudo -u datumd datumd doctor /etc/datumd/L3-S20.toml",
    )
    parser.add_argument(
        "station", nargs="?", type=Path, default=Path("station.toml"), help="the station file (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a line for each thing; 1 where one is wrong. Raises ConfigError where there is no station file to go by."""
    from pipeline.config import load_station
    from pipeline.doctor.finding import Level

    counts = dict.fromkeys(Level, 0)
    for finding in _findings(load_station(args.station)):
        print(finding, flush=True)
        counts[finding.level] += 1
    print(f"{counts[Level.OK]} ok, {counts[Level.LOOK]} to look at, {counts[Level.WRONG]} wrong")
    return 1 if counts[Level.WRONG] else 0


def _findings(station: "Station") -> "Iterator[Finding]":
    from pipeline.doctor.clocks import clocks, ptp
    from pipeline.doctor.links import links
    from pipeline.doctor.room import disk, memory
    from pipeline.doctor.station import cameras, plans, ports, secrets

    return chain(
        cameras(station),
        links(int(station.ring.slot_mb * 2**20)),
        clocks(),
        ptp(station.camera),
        memory(station),
        disk(station),
        plans(station),
        secrets(station),
        ports(station),
    )
