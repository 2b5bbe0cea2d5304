"""Making the file that the simulated line and its cameras share, whole before it takes its name."""

import mmap
import os
from pathlib import Path

from pipeline.errors import DatumdError


def draft(path: Path) -> Path:
    """Where the file is made before it takes its name."""
    return path.with_name(f"{path.name}.new")


def make_file(path: Path, size: int) -> tuple[int, mmap.mmap]:
    """A file of `size` bytes at the draft's place: its descriptor and its mapping. Raises DatumdError where there is no room."""
    made = draft(path)
    made.unlink(missing_ok=True)
    try:
        descriptor = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)  # a full memory file system says so now, not by SIGBUS later
            return descriptor, mmap.mmap(descriptor, size)
        except OSError:
            os.close(descriptor)
            made.unlink()
            raise
    except OSError as error:
        what = f"no room for the simulated cameras ({size / 1e6:.0f} MB): {error.strerror}"
        allowed = "a folder in memory with that much room, for example /dev/shm"
        raise DatumdError(what, where=str(path), allowed=allowed, next_command="use a smaller --pool") from error
