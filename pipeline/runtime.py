"""One run of a station: its files, addresses and processes, as the supervisor hands them to the workers."""

import contextlib
import os
import tempfile
from pathlib import Path

import msgspec

from pipeline.config import Station
from pipeline.errors import ConfigError

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the frame ring must be memory, and is locked and opened without following links

LONGEST_SOCKET_PATH = 107  # unix(7): 108 bytes with the final zero


class Runtime(msgspec.Struct, frozen=True):
    """Where this run's things are. `processes` fixes the row of each process in the table of vital signs.

    `folder` holds sockets and ends with the run; `state_folder` holds the journal and the images, and stays.
    """

    station: Station
    folder: str
    state_folder: str
    processes: list[str]

    @property
    def ring_path(self) -> Path:
        """The frame ring's file."""
        return SHARED_MEMORY / f"datumd-{self.station.station}.ring"

    @property
    def vitals_path(self) -> Path:
        """The file of the vital signs."""
        return SHARED_MEMORY / f"datumd-{self.station.station}.vitals"

    @property
    def file_path(self) -> Path:
        """Where this is kept for the workers."""
        return Path(self.folder) / "runtime.json"

    @property
    def ledger_path(self) -> Path:
        """The socket at which the ledger hears the workers."""
        return Path(self.folder) / "ledger"

    @property
    def pictures_path(self) -> Path:
        """The socket at which the page asks for pictures."""
        return Path(self.folder) / "pictures"

    @property
    def results_endpoint(self) -> str:
        """ZeroMQ address of the result stream."""
        return _endpoint(self.station.results.bind)

    @property
    def control_endpoint(self) -> str:
        """ZeroMQ address at which requests are answered."""
        return _endpoint(self.station.control_bind)

    def save(self) -> None:
        """Write this for the workers."""
        self.file_path.write_bytes(msgspec.json.encode(self))

    def remove(self) -> None:
        """Remove the files and the folder of the run, but not the frame ring, which is locked."""
        for path in (self.file_path, self.vitals_path, self.ledger_path, self.pictures_path):
            with contextlib.suppress(OSError):  # somebody else's business
                path.unlink()
        with contextlib.suppress(OSError):  # there is more in it, or it is systemd's
            Path(self.folder).rmdir()


def load_runtime(folder: Path) -> Runtime:
    """What the supervisor wrote. Raises ConfigError when no daemon runs in `folder`."""
    try:
        return msgspec.json.decode((folder / "runtime.json").read_bytes(), type=Runtime)
    except OSError as error:
        raise ConfigError(
            f"no daemon has run here: {error.strerror}", where=str(folder), next_command="datumd run STATION.toml"
        ) from error


def _endpoint(bind: str) -> str:
    return bind if bind.startswith("tcp://") else f"tcp://{bind}"


def state_place(station: Station) -> Path:
    """Where the journal and the images lie; nothing is made."""
    system = Path("/var/lib/datumd") / station.station
    if station.archive.folder:
        return Path(station.archive.folder)
    if system.is_dir() and os.access(system, os.W_OK):
        return system
    return Path.home() / ".local/state/datumd" / station.station


def state_folder(station: Station) -> Path:
    """The folder of the journal and the images, made where it is not there.

    Raises:
        ConfigError: it cannot be made.
    """
    folder = state_place(station)
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"no folder for the journal: {error.strerror}",
            where=str(folder),
            next_command="set archive.folder in the station file",
        ) from error
    return folder


def runtime_folder(station: str) -> Path:
    """The folder for this station's sockets: /run/datumd/STATION where systemd made it, else one of the user's own in /tmp.

    Raises:
        ConfigError: it cannot be made, is somebody else's, or its path is too long for a socket.
    """
    system = Path("/run/datumd") / station
    if system.is_dir() and os.access(system, os.W_OK):
        return system
    own = Path(tempfile.gettempdir()) / f"datumd-{os.getuid()}"
    folder = own / station
    if len(os.fsencode(folder / "ledger")) > LONGEST_SOCKET_PATH:
        raise ConfigError(
            f"the path is too long for a socket, {LONGEST_SOCKET_PATH} bytes",
            where=str(folder),
            next_command="TMPDIR=/tmp",
        )
    try:
        own.mkdir(mode=0o700, exist_ok=True)
        if own.is_symlink() or own.stat().st_uid != os.getuid():
            raise ConfigError("belongs to somebody else", where=str(own), next_command=f"remove {own}")
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"no folder for sockets: {error.strerror}", where=str(folder)) from error
    return folder
