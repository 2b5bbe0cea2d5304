"""Room for frames in memory and for results on the disk, and whether this user may use it."""

import fcntl
import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.config import Station
from pipeline.doctor.finding import Finding, fine, look, wrong
from pipeline.ring.layout import RingLayout
from pipeline.runtime import SHARED_MEMORY, state_place

LEAST_FREE_BYTES = 2**30  # a shift's journal, and room for what else the machine writes
LEAST_FREE_FILES = 0.02


def holds_ring(path: Path) -> bool:
    """Whether a daemon holds the frame ring at `path`: the station runs. It is tried for a moment, not kept."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def memory(station: Station, folder: Path = SHARED_MEMORY) -> Iterator[Finding]:
    """Whether the frame ring fits into `folder`, and whose rings lie there unused."""
    ring = folder / f"datumd-{station.station}.ring"
    wanted = RingLayout(station.ring_slots, int(station.ring.slot_mb * 2**20), len(station.camera)).total_bytes
    if not folder.is_dir():
        yield wrong(str(folder), "there is none, and frames need it", f"mount -t tmpfs tmpfs {folder}")
        return
    free = shutil.disk_usage(folder).free + (ring.stat().st_blocks * 512 if ring.is_file() else 0)
    text = f"the frame ring takes {wanted / 2**20:.0f} MiB, {free / 2**20:.0f} MiB are there"
    if not os.access(folder, os.W_OK):
        yield wrong(str(folder), "may not be written to", f"chmod 1777 {folder}")
    elif free < wanted:
        size = int(2 * wanted / 2**20)
        todo = f"mount -o remount,size={size}M {folder} (a container: --shm-size={size}m), or lower ring.slot_mb"
        yield wrong(str(folder), text, todo)
    else:
        yield fine(str(folder), text)
    for other in sorted(folder.glob("datumd-*.ring")):
        if other != ring and os.access(other, os.R_OK) and not holds_ring(other):
            text = f"{other.stat().st_size / 2**20:.0f} MiB of a station that does not run"
            yield look(str(other), text, f"if it is not used any more: rm {other}")


def disk(station: Station) -> Iterator[Finding]:
    """Room, files and rights where the journal and the images go."""
    place = state_place(station).absolute()
    there = next(one for one in (place, *place.parents) if os.access(one, os.F_OK))
    name, user = f"disk {place}", _user()
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield wrong(
            name, f"user {user} may not write {'to' if there == place else 'at'} {there}", f"chown {user} {there}"
        )
        return
    usage, files = shutil.disk_usage(there), os.statvfs(there)
    text = f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.0f} GB free, images take up to {station.archive.quota_gb:g} GB"
    if usage.free < LEAST_FREE_BYTES:
        yield wrong(name, text, "make room, or lower archive.quota_gb: results come first, images go")
    elif usage.total < station.archive.quota_gb * 1e9:
        yield look(name, text, "lower archive.quota_gb: the disk is full before it is reached")
    elif files.f_files and files.f_favail < LEAST_FREE_FILES * files.f_files:
        yield look(name, f"{files.f_favail} more files only", "remove small files, or another file system")
    else:
        yield fine(name, text)
    if os.geteuid() == 0:
        yield look(
            "user",
            "root may do everything, so rights of files were not looked at",
            "if the station runs as a service: sudo -u datumd datumd doctor STATION.toml",
        )
    else:
        yield fine("user", user)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # in a container, a user without a name
        return str(os.geteuid())
