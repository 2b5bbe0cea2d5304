"""Network addresses of a station, and whether they can be had."""

import errno
import socket

from pipeline.config import Station
from pipeline.errors import AlreadyRunning, ConfigError


def split(bind: str) -> tuple[str, int]:
    """Host and port of `[tcp://]HOST:PORT`."""
    host, _, port = bind.removeprefix("tcp://").rpartition(":")
    return host, int(port)


def refuse_taken(station: Station) -> None:
    """Try every address that the daemon will bind.

    Raises:
        AlreadyRunning: another process listens there.
        ConfigError: the address does not exist on this machine.
    """
    for table, bind in station.addresses.items():
        key = f"{table}.bind"
        host, port = split(bind)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except (OSError, OverflowError) as error:
                if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                    raise AlreadyRunning(
                        f"{bind} is taken",
                        where=key,
                        allowed="an address of its own",
                        next_command=f"ss -ltnp 'sport = :{port}'",
                    ) from None
                raise ConfigError(
                    f"cannot listen at {bind}: {error}", where=key, allowed="an address of this machine"
                ) from None
