"""CPU time of a training over all the runs that it took."""

from __future__ import annotations

import time
from pathlib import Path

_FILE = "cpu_seconds"


class Spent:
    """Counts the CPU time of this process, all threads, on top of what earlier runs left in a folder."""

    def __init__(self, folder: Path) -> None:
        """Begin to count. The folder must be there."""
        self._path = folder / _FILE
        self._before = float(self._path.read_text()) if self._path.exists() else 0.0
        self._started = time.process_time()

    def keep(self) -> None:
        """Write it down. What a killed run did after its last call is lost."""
        self._path.write_text(f"{self._before + time.process_time() - self._started:.1f}")


def minutes(folder: Path) -> float:
    """What is written down."""
    path = folder / _FILE
    return (float(path.read_text()) if path.exists() else 0.0) / 60
