"""Vital signs of the workers in shared memory: health is progress, a counter and a monotonic time for each worker.

One row a process in a small file beside the frame ring; each word of it has one writer. A worker's loop turns, and so makes
progress, whether there is work or not.
"""

import errno
import mmap
import os
from enum import IntEnum
from pathlib import Path

from pipeline.clock import monotonic_ns

ROW_WORDS = 16


class VitalWord(IntEnum):
    """Words of a row.

    `starts` counts the processes that had it in this run; `born` tells a pid from a later one; `warmed` counts how often the
    process ran all networks of a recipe for no part, to keep them warm. `restarts` is the supervisor's: it counts those that
    died before they had the row, too.
    """

    pid = 0
    progress = 1
    progress_ns = 2
    state = 3
    starts = 4
    born = 5
    warmed = 6
    restarts = 7


class WorkerState(IntEnum):
    """What a worker says of itself."""

    starting = 0
    connecting = 1
    ready = 2
    error = 3


class Vitals:
    """The table of vital signs; rows are numbered as the process list is."""

    def __init__(self, path: Path, *, rows: int = 0) -> None:
        """Attach to the table at `path`; with `rows` > 0, make it anew first.

        Raises:
            OSError: there is none, no room, or the file is a link or somebody else's: anybody may put one in /dev/shm.
        """
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if rows else 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            if os.fstat(descriptor).st_uid != os.getuid():
                raise PermissionError(errno.EPERM, "belongs to somebody else", str(path))
            if rows:
                os.ftruncate(descriptor, 0)
                os.posix_fallocate(descriptor, 0, rows * ROW_WORDS * 8)
            self._memory = mmap.mmap(descriptor, 0)
        finally:
            os.close(descriptor)
        self._words = memoryview(self._memory).cast("B").cast("Q")
        self.rows = len(self._words) // ROW_WORDS

    def read(self, row: int, word: VitalWord) -> int:
        """One word of a row."""
        return self._words[row * ROW_WORDS + word]

    def begin(self, row: int) -> None:
        """A process starts: its pid, no progress, state `starting`."""
        base = row * ROW_WORDS
        self._words[base + VitalWord.progress] = 0
        self._words[base + VitalWord.progress_ns] = monotonic_ns()
        self._words[base + VitalWord.state] = WorkerState.starting
        self._words[base + VitalWord.warmed] = 0
        self._words[base + VitalWord.starts] += 1
        self._words[base + VitalWord.born] = born(os.getpid())
        self._words[base + VitalWord.pid] = os.getpid()

    def progress(self, row: int) -> None:
        """One more turn of the worker's loop has done its work."""
        base = row * ROW_WORDS
        self._words[base + VitalWord.progress] += 1
        self._words[base + VitalWord.progress_ns] = monotonic_ns()

    def set_state(self, row: int, state: WorkerState) -> None:
        """Say what the worker is doing; what it did before is no measure of its progress any more."""
        self._words[row * ROW_WORDS + VitalWord.progress_ns] = monotonic_ns()
        self._words[row * ROW_WORDS + VitalWord.state] = state

    def count_warmed(self, row: int) -> None:
        """All networks of a recipe have been run once more for no part."""
        self._words[row * ROW_WORDS + VitalWord.warmed] += 1

    def count_restart(self, row: int) -> None:
        """The process has ended and will be started again."""
        self._words[row * ROW_WORDS + VitalWord.restarts] += 1

    def close(self) -> None:
        """Unmap."""
        self._words.release()
        self._memory.close()


def survivors(path: Path) -> list[int]:
    """Pids of the processes in the table at `path` that live; none where there is no such table."""
    try:
        vitals = Vitals(path)
    except (OSError, ValueError):
        return []
    rows = [(vitals.read(row, VitalWord.pid), vitals.read(row, VitalWord.born)) for row in range(vitals.rows)]
    vitals.close()
    return [pid for pid, since in rows if pid and since and born(pid) == since]


def born(pid: int) -> int:
    """When the process began, in clock ticks since the machine booted (field 22 of proc(5)); 0 when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def usage(pid: int) -> tuple[int, float]:
    """Resident memory in bytes and CPU time in seconds of a process, (0, 0.0) when it is gone."""
    try:
        resident_pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0, 0.0
    ticks = int(fields[11]) + int(fields[12])  # utime and stime: fields 14 and 15 of proc(5), counted behind the name
    return resident_pages * os.sysconf("SC_PAGE_SIZE"), ticks / os.sysconf("SC_CLK_TCK")
