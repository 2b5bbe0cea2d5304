"""What cannot be written is told in one line, whoever finds it out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import DataError


@contextmanager
def writing(path: Path, next_command: str = "") -> Iterator[None]:
    """Where ``path`` is written.

    Args:
        path: named where the system names no file.
        next_command: what to do when there is room.

    Raises:
        DataError: for an OSError inside: no room, no permission, a file where a folder should be.
    """
    try:
        yield
    except OSError as problem:
        where = problem.filename if isinstance(problem.filename, str) else str(path)
        said = (problem.strerror or str(problem)).lower()
        raise DataError(f"cannot be written: {said}", where=where, next_command=next_command) from None
