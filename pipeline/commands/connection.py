"""The options with which commands reach a running station."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.client import Control
    from pipeline.security import ClientKeys

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5570"


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add the address, the station's name and the keys."""
    parser.add_argument(
        "endpoint",
        nargs="?",
        default=DEFAULT_ENDPOINT,
        metavar="ADDRESS | STATION.toml",
        help="results address of the station, or its file, whose address, name and keys are used then (default: %(default)s)",
    )
    parser.add_argument("--station", default="", help="only this station")
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="our keys, for a station that asks for them (datumd keys)"
    )
    parser.add_argument("--server-key", type=Path, metavar="FILE.pub", help="the station's public key")


def keys_of(args: argparse.Namespace) -> "ClientKeys | None":
    """The keys that were named, None where none were. Raises ConfigError where they cannot be used."""
    from pipeline.security import load_client_keys

    if args.key is None:
        if args.server_key is not None:
            raise ConfigError(
                "the station's key is of use only with one's own", where="--server-key", allowed="--key FILE"
            )
        return None
    return load_client_keys(args.key, args.server_key)


def reached(args: argparse.Namespace) -> "tuple[str, str, ClientKeys | None]":
    """Results address, station and keys: from the station file where one is named.

    Raises:
        ConfigError: the station file or a key cannot be read, or --station names another.
    """
    if not args.endpoint.endswith(".toml"):
        return args.endpoint, args.station, keys_of(args)
    from pipeline.config import load_station
    from pipeline.security import own_client_keys

    station = load_station(Path(args.endpoint))
    if args.station not in ("", station.station):
        raise ConfigError(f"{args.endpoint} is of {station.station}", where=f"--station {args.station}")
    host, _, port = station.results.bind.rpartition(":")
    host = host.replace("//0.0.0.0", "//127.0.0.1").replace("//*", "//127.0.0.1")
    return f"{host}:{port}", station.station, keys_of(args) or own_client_keys(station.security)


def control_of(args: argparse.Namespace) -> "Control":
    """A line to the station, to be closed. Raises NoAnswer where it is not heard."""
    from pipeline.client import Control, find_control

    endpoint, station, keys = reached(args)
    return Control(find_control(endpoint, station, keys), keys)
