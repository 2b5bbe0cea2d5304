"""What a command writes: to standard output, or to a file that is there under its name only when it is whole."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import ConfigError


@contextmanager
def whole_file(path: Path | None, *, force: bool) -> Iterator[BinaryIO]:
    """Standard output where `path` is None. Where the block raises there is no new file.

    Raises:
        ConfigError: there is such a file and not `force`, or it cannot be written.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    refuse_taken(path, force=force)
    draft = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        try:
            with draft.open("xb") as file:
                yield file
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as problem:
        if problem.filename not in (None, str(draft), str(path)):
            raise  # of something that was to be read
        raise ConfigError(f"cannot be written ({problem.strerror})", where=str(path)) from None


def refuse_taken(path: Path | None, *, force: bool) -> None:
    """Said before long work, not after it. Raises ConfigError: there is such a file and not `force`, or its folder is missing."""
    if path is None:
        return
    if path.is_dir():
        raise ConfigError("is a folder", where=str(path), allowed="the name of a file")
    if not force and path.exists():
        raise ConfigError("is there already", where=str(path), next_command="add --force, or choose another name")
    if not path.parent.is_dir():
        raise ConfigError("there is no such folder", where=str(path.parent), next_command=f"mkdir -p {path.parent}")
