"""A folder in memory for targets that read files; gone when the process ends."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path


@functools.cache
def folder(name: str) -> Path:
    """The folder of a target."""
    made = Path(tempfile.mkdtemp(prefix=f"datumd-fuzz-{name}-", dir="/dev/shm"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
