"""How much of the disk images may take: the room that is left to the journal, which lies on the same one."""

import os
from dataclasses import dataclass
from pathlib import Path

LARGEST_RESERVE_BYTES = 2**30
LARGEST_RESERVE_FILES = 10_000
RESERVED_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Space:
    """A file system's room. `files_*` are 0 where it counts no files."""

    free_bytes: int
    total_bytes: int
    free_files: int = 0
    total_files: int = 0

    @classmethod
    def of(cls, folder: Path) -> "Space":
        """Of the file system of a folder, for users without privilege. Raises OSError."""
        found = os.statvfs(folder)
        return cls(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, found.f_favail, found.f_files)

    @property
    def reserve_bytes(self) -> int:
        """What images leave free: 5 %, at most 1 GiB."""
        return min(LARGEST_RESERVE_BYTES, int(self.total_bytes * RESERVED_SHARE))

    def is_short_of(self, size_bytes: int) -> bool:
        """Whether images have to go before `size_bytes` more are written."""
        return self.free_bytes - size_bytes < self.reserve_bytes or self._lacks_files(1.0)

    def is_full_for(self, size_bytes: int) -> bool:
        """Whether `size_bytes` more must not be written: half of the reserve is for the time that deleting takes."""
        return self.free_bytes - size_bytes < self.reserve_bytes // 2 or self._lacks_files(0.5)

    def _lacks_files(self, share: float) -> bool:
        reserve = min(LARGEST_RESERVE_FILES, self.total_files * RESERVED_SHARE)
        return self.total_files > 0 and self.free_files < reserve * share

    def __str__(self) -> str:
        if self._lacks_files(1.0):
            return f"{self.free_files} files are free"
        return f"{self.free_bytes / 2**20:.0f} MiB are free, {self.reserve_bytes / 2**20:.0f} MiB are the journal's"
