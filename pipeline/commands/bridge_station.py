"""What every bridge is told: its station, what it may wait for, and when it is to end."""

import argparse
import math
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.connection import keys_of

if TYPE_CHECKING:
    from pipeline.security import ClientKeys


def positive(text: str) -> float:
    """A number above 0, for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r}, allowed: a number above 0")
    return number


def reached(args: argparse.Namespace) -> "tuple[str, str, ClientKeys | None]":
    """Results address, station and keys: from the station file where one is named.

    Raises:
        ConfigError: the station file or a key cannot be read.
    """
    if not args.endpoint.endswith(".toml"):
        return args.endpoint, args.station, keys_of(args)
    from pipeline.config import load_station
    from pipeline.security import own_client_keys

    station = load_station(Path(args.endpoint))
    host, _, port = station.results.bind.rpartition(":")
    host = host.replace("//0.0.0.0", "//127.0.0.1").replace("//*", "//127.0.0.1")
    return f"{host}:{port}", station.station, keys_of(args) or own_client_keys(station.security)


def until_signal() -> threading.Event:
    """Set by SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
