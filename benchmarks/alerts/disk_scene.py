"""A disk that fills: an ext4 of its own, which nothing but the station and the fault write to."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.alerts.fault import Fault
from benchmarks.alerts.line_scenes import line_station
from benchmarks.alerts.scene import Scene, Stage

EXPORTER = "prometheus-node-exporter"
DISK_MB = 600
MEASUREMENTS = 600  # of each part: a result of some 65 kB, so that those that wait are at their limit (64 MiB) soon
RATE_HZ = 12.0  # a machine that is busy with other things keeps up, too
DIVISOR = 120
REST_S = 45.0  # until what the networks took at the start is no growth any more
BALLAST_STEP = 2**20
MEASURE = '[measure.d{number:03d}]\ndistance = ["a", "b"]\nnominal = 32.0\ntolerance = 10.0\n'


def lacks() -> str:
    """Why it cannot be shown here."""
    if os.geteuid() != 0:
        return "needs root, to mount a small disk"
    if shutil.which(EXPORTER) is None:
        return f"apt-get install {EXPORTER}"
    return ""


class Ballast:
    """A file that takes all room."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"

    def fill(self) -> None:
        """Take what room there is; again and again, as the station deletes images to have some."""
        step = BALLAST_STEP
        with self._path.open("ab") as file:
            while step >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, step)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    step //= 2

    def clear(self) -> None:
        """Give it back."""
        self._path.unlink()


@contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """Where an ext4 is mounted. Raises RuntimeError where it may not be."""
    image, place = folder / "disk.img", folder / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(DISK_MB * 10**6)
    for words in (["mkfs.ext4", "-q", "-m", "0", str(image)], ["mount", "-o", "loop", str(image), str(place)]):
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{words[0]}: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # noqa: S607 - wherever it is installed


@contextmanager
def exporter(port: int) -> Iterator[None]:
    """Debian's node exporter, with the figures of file systems alone."""
    words = [
        EXPORTER,
        f"--web.listen-address=127.0.0.1:{port}",
        "--collector.disable-defaults",
        "--collector.filesystem",
    ]
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.terminate()
        child.wait(20)


@contextmanager
def _disk(folder: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        place = stack.enter_context(disk(folder))
        measured = "".join(MEASURE.format(number=number) for number in range(MEASUREMENTS))
        line, station = stack.enter_context(line_station(folder, RATE_HZ, place / "state", measured, DISK_MB / 1000))
        stack.enter_context(exporter(station.ports.nodes))
        ballast = Ballast(place)
        line.go()
        fault = Fault(
            "the disk of journal and images is full; what waits for it grows in the ledger's memory to its limit",
            DISK.alerts,
            ballast.fill,
            ballast.clear,
            ballast.fill,
        )
        yield Stage(station, [fault], (station.ports.nodes, str(place)))


DISK = Scene(
    "disk",
    (
        "DatumdDiskFills",
        "DatumdJournalFault",
        "DatumdImagesFault",
        "DatumdImagesLost",
        "DatumdResultsForgotten",
        "DatumdMemoryGrows",
    ),
    _disk,
    DIVISOR,
    REST_S,
    lacks=lacks,
)
